//! What each authority answers to those who may know.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::client::{Gateway, about, every_path, who, with, with_handle, with_plate};

#[tokio::test]
async fn every_path_answers_in_both_suites() {
    for suite in [crypto::Suite::Gm, crypto::Suite::Intl] {
        let mut gateway = Gateway::with_suite(suite, |sandbox| sandbox);
        for (path, request) in every_path() {
            let answer = gateway.ask(path, &request).await;
            assert_eq!(
                (answer["code"].as_str(), answer["message"].as_str()),
                (Some("0"), Some("成功")),
                "{path}"
            );
            assert!(answer["data"].is_object() && answer["gxsj"].is_string(), "{path}");
        }
    }
}

#[tokio::test]
async fn answers_are_as_old_as_the_authority_says() {
    let mut gateway = Gateway::new();
    for (path, request) in every_path() {
        let expected = match path.split_once('/').unwrap().0 {
            "insurance" => "2026-11-21 03:00:00",
            "repair" => "2026-11-16 03:00:00",
            _ => "2026-11-22 12:00:00",
        };
        assert_eq!(gateway.ask(path, &request).await["gxsj"], expected, "{path}");
    }
}

#[tokio::test]
async fn the_same_question_has_the_same_answer() {
    let (mut one, mut other) = (Gateway::new(), Gateway::new());
    for (path, request) in every_path() {
        let first = one.ask(path, &request).await;
        assert_eq!(first, one.ask(path, &request).await, "{path}");
        assert_eq!(first, other.ask(path, &request).await, "{path}");
    }
}

#[tokio::test]
async fn a_vehicle_is_told_to_owner_and_co_owner() {
    let mut gateway = Gateway::new();
    let owner = gateway
        .data(
            "traffic/vehicle/query",
            &with_plate("chen-weidong", "晋N35T08", "02"),
        )
        .await;
    let co_owner = gateway
        .data(
            "traffic/vehicle/query",
            &with_plate("li-meiling", "晋N35T08", "02"),
        )
        .await;
    assert_eq!(owner, co_owner);
    assert_eq!(owner["sfzmhm"], who("chen-weidong").id_number);
    assert_eq!(owner["gyrsfzmhm"], who("li-meiling").id_number);
    assert_eq!(
        (owner["jyyxqz"].as_str(), owner["zt"].as_str()),
        (Some("2027-06-20"), Some("A,G"))
    );
    let small = gateway
        .data(
            "traffic/vehicle/query",
            &with_plate("shuang-pai-a", "赣N30003", "02"),
        )
        .await;
    let large = gateway
        .data(
            "traffic/vehicle/query",
            &with_plate("shuang-pai-b", "赣N30003", "01"),
        )
        .await;
    assert_ne!(small["clsbdh"], large["clsbdh"]);
    let list = gateway.data("traffic/vehicle/list", &about("li-meiling")).await;
    assert_eq!(list["jls"][0]["hphm"], "晋N35T08");
    assert_eq!(
        gateway.code("traffic/vehicle/list", &about("kong-kong")).await,
        "1001"
    );
}

#[tokio::test]
async fn violations_keep_what_counts_apart_from_what_may_come() {
    let mut gateway = Gateway::new();
    let car = gateway
        .data(
            "traffic/vehicle/violations",
            &with_plate("he-xin", "苏PF60318", "52"),
        )
        .await;
    let rows = car["jls"].as_array().unwrap();
    assert_eq!((rows.len(), car["wcls"].as_u64()), (5, Some(2)));
    let of = |member: &str, value: &str| rows.iter().filter(|row| row[member] == value).count();
    assert_eq!(
        (of("clbj", "1"), of("jkbj", "1")),
        (3, 2),
        "one is dealt with and not paid"
    );
    assert!(
        rows.iter()
            .all(|row| (row["clbj"] == "1") == row["jdsbh"].is_string())
    );
    let digest = rows[3]["zjtp"]["digest"].as_str().unwrap();
    assert_eq!(
        (digest.len(), rows[3]["zjtp"]["handle"].as_str()),
        (64, Some("SBX-ZJ-000169"))
    );
    let licence = gateway.data("traffic/licence/query", &about("he-xin")).await;
    assert_eq!(
        (licence["ljjf"].as_u64(), licence["dcljf"].as_u64()),
        (Some(4), Some(6))
    );
    let driver = gateway.data("traffic/driver/violations", &about("he-xin")).await;
    assert_eq!(
        (driver["ljjf"].as_u64(), driver["dcljf"].as_u64()),
        (Some(4), Some(0)),
        "cameras know no driver"
    );
    let none = gateway
        .data("traffic/driver/violations", &about("zhao-xiaomin"))
        .await;
    assert_eq!(none["jls"], json!([]));
    assert_eq!(
        gateway
            .code("traffic/driver/violations", &about("kong-kong"))
            .await,
        "1001"
    );
}

#[tokio::test]
async fn evidence_is_the_image_whose_digest_was_told() {
    let mut gateway = Gateway::new();
    let car = gateway
        .data(
            "traffic/vehicle/violations",
            &with_plate("chen-weidong", "晋N35T08", "02"),
        )
        .await;
    let son = gateway
        .data("traffic/driver/violations", &about("chen-siyuan"))
        .await;
    let images = |data: &Value| -> Vec<Value> {
        let rows = data["jls"].as_array().unwrap().iter();
        rows.map(|row| row["zjtp"].clone()).collect()
    };
    for (who, images) in [
        ("chen-weidong", images(&car)),
        ("li-meiling", images(&car)),
        ("chen-siyuan", images(&son)),
    ] {
        assert!(!images.is_empty());
        for image in images {
            let handle = image["handle"].as_str().unwrap();
            let data = gateway
                .data("traffic/evidence/query", &with_handle(who, handle))
                .await;
            let bytes = BASE64_STANDARD.decode(data["tp"].as_str().unwrap()).unwrap();
            assert!(bytes.starts_with(b"\x89PNG"), "{who} {handle}");
            let digest = crypto::Suite::Intl.hash(&[&bytes]);
            let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(image["digest"], digest, "{who} {handle}");
        }
    }
}

#[tokio::test]
async fn a_licence_says_its_cycle() {
    let mut gateway = Gateway::new();
    let leap = gateway.data("traffic/licence/query", &about("leap-run")).await;
    assert_eq!(
        (leap["jfzqqs"].as_str(), leap["jfzqqz"].as_str()),
        (Some("2026-03-01"), Some("2027-02-28"))
    );
    let long = gateway
        .data("traffic/licence/query", &about("chen-weidong"))
        .await;
    assert_eq!(
        (long["cqyx"].as_str(), long["zjcx"].as_str()),
        (Some("1"), Some("C1,E"))
    );
    assert!(long.get("yxqz").is_none());
    let old = gateway
        .data("traffic/licence/query", &about("ding-xiuzhen"))
        .await;
    assert_eq!(
        old["zjhm"].as_str().map(str::len),
        Some(15),
        "the number printed on the old licence"
    );
    assert_eq!(old["sfzmhm"], who("ding-xiuzhen").id_number);
    assert_eq!(
        gateway.code("traffic/licence/query", &about("li-meiling")).await,
        "1001"
    );
}

#[tokio::test]
async fn the_marriage_register_says_what_is_registered() {
    let mut gateway = Gateway::new();
    let cases = [
        ("liu-zhiqiang", "1", Some("赵晓敏")),
        ("zhao-xiaomin", "1", Some("刘志强")),
        ("sun-haitao", "1", Some("徐静")),
        ("zhou-lihua", "2", None),
        ("deng-ying", "1", Some("冯涛")),
        ("ma-guoqing", "1", Some("朱红梅")),
        ("he-shufen", "1", Some("贺世昌")),
        ("luo-wei", "3", None),
        ("liang-bo", "4", None),
        ("song-jia", "1", Some("欧立文")),
        ("carter-michael", "1", Some("程玥")),
    ];
    for (id, status, spouse) in cases {
        let data = gateway.data("civil-affairs/marriage/query", &about(id)).await;
        assert_eq!(
            (data["djzt"].as_str(), data["poxm"].as_str()),
            (Some(status), spouse),
            "{id}"
        );
        let parties = [&data["nfsfzmhm"], &data["vfsfzmhm"]];
        assert!(
            parties.contains(&&Value::from(who(id).id_number.as_str())),
            "{id} is a party"
        );
    }
    let divorced = gateway
        .data("civil-affairs/marriage/query", &about("zhou-lihua"))
        .await;
    assert_eq!(
        (divorced["djrq"].as_str(), divorced["zsbh"].as_str()),
        (Some("2012-09-03"), Some("L352125-2012-000903"))
    );
    let pending = |id: &str| about(id);
    let early = gateway
        .data("civil-affairs/marriage/query", &pending("guo-jun"))
        .await;
    assert_eq!(early["lhchqz"], "2026-12-12");
    let late = gateway
        .data("civil-affairs/marriage/query", &pending("jiang-mei"))
        .await;
    assert_eq!(late["lhchqz"], "2026-11-12");
    gateway.clock.advance_seconds(21 * 86_400);
    gateway.shake_hands(sandbox::Authority::CivilAffairs).await;
    let lapsed = gateway
        .data("civil-affairs/marriage/query", &pending("jiang-mei"))
        .await;
    assert_eq!(
        lapsed["lhchqz"], "2026-12-03",
        "days from today move with the clock"
    );
    for (id, code) in [
        ("xie-anran", "1001"),
        ("dong-yichen", "1001"),
        ("peng-guizhi", "1006"),
        ("yuan-zhihua", "1004"),
    ] {
        assert_eq!(
            gateway.code("civil-affairs/marriage/query", &about(id)).await,
            code,
            "{id}"
        );
    }
}

#[tokio::test]
async fn the_population_register_compares() {
    let mut gateway = Gateway::new();
    let matches = async |gateway: &mut Gateway, id: &str, more: Value| {
        gateway
            .code("population/identity/match", &with(about(id), more))
            .await
    };
    for id in [
        "wang-xiulan",
        "gulbahar",
        "carter-michael",
        "petrova-elena",
        "biang-yang",
        "chan-kaman",
    ] {
        assert_eq!(matches(&mut gateway, id, json!({})).await, "0", "{id}");
    }
    let other_dot = json!({ "xm": "古丽巴哈尔•艾山" });
    assert_eq!(
        matches(&mut gateway, "gulbahar", other_dot).await,
        "0",
        "dots are folded for comparing"
    );
    assert_eq!(
        matches(&mut gateway, "wang-xiulan", json!({ "xm": "王秀英" })).await,
        "1002"
    );
    assert_eq!(
        matches(&mut gateway, "wang-xiulan", json!({ "cqyx": "yes" })).await,
        "0"
    );
    assert_eq!(
        matches(&mut gateway, "wang-xiulan", json!({ "yxqz": "2040-01-01" })).await,
        "1002"
    );
    assert_eq!(
        matches(&mut gateway, "zhao-xiaomin", json!({ "yxqz": "2033-09-19" })).await,
        "0"
    );
    assert_eq!(
        matches(&mut gateway, "zhao-xiaomin", json!({ "yxqz": "2033-09-18" })).await,
        "1002"
    );
    assert_eq!(
        matches(&mut gateway, "zhao-xiaomin", json!({ "cqyx": "yes" })).await,
        "1002"
    );
    assert_eq!(matches(&mut gateway, "tan-guohua", json!({})).await, "1005");
    assert_eq!(matches(&mut gateway, "hu-weilu", json!({})).await, "1006");
}

#[tokio::test]
async fn portraits_are_compared_by_what_is_drawn() {
    let mut gateway = Gateway::new();
    let encode = |bytes: &[u8]| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes);
    let own = sandbox::portrait_of(who("qi-wu"));
    let cases = [
        (encode(&own), "0"),
        (encode(&sandbox::blurred_portrait_of(who("qi-wu"))), "1008"),
        (encode(&sandbox::portrait_of(who("kong-kong"))), "1008"),
        (encode(b"no picture"), "4001"),
        ("not base64!".to_owned(), "4001"),
    ];
    for (picture, code) in cases {
        let request = with(about("qi-wu"), json!({ "zp": picture }));
        assert_eq!(gateway.code("population/identity/portrait", &request).await, code);
    }
    let request = with(about("qi-wu"), json!({ "zp": encode(&own) }));
    assert_eq!(
        gateway.data("population/identity/portrait", &request).await["xsd"],
        97
    );
}

#[tokio::test]
async fn the_carrier_knows_whose_a_phone_is() {
    let mut gateway = Gateway::new();
    let cases = [
        ("wang-xiulan", "17900100001", "0"),
        ("chen-jianguo", "17900100002", "1002"),
        ("chen-weidong", "17900100002", "0"),
        ("wang-xiulan", "17900100003", "1002"),
        ("wang-xiulan", "17900199999", "1001"),
        ("tian-ji", "17900100031", "1003"),
        ("ding-rare", "17900100034", "1003"),
        ("carter-michael", "17900100048", "0"),
    ];
    for (id, phone, code) in cases {
        let request = with(about(id), json!({ "sjhm": phone }));
        assert_eq!(
            gateway.code("carrier/holder/match", &request).await,
            code,
            "{id} {phone}"
        );
    }
}

#[tokio::test]
async fn insurers_and_shops_answer_as_of_their_own_day() {
    let mut gateway = Gateway::new();
    let policies = async |gateway: &mut Gateway, id: &str, plate: &str, class: &str| {
        gateway
            .ask("insurance/policy/query", &with_plate(id, plate, class))
            .await
    };
    let shared = policies(&mut gateway, "chen-weidong", "晋N35T08", "02").await;
    assert_eq!(shared["data"]["jls"].as_array().map(Vec::len), Some(2));
    assert_eq!(shared["data"]["bbxrxm"], "李美玲");
    assert_eq!(shared["data"]["jqxzbrq"], "2027-05-06");
    assert_eq!(
        policies(&mut gateway, "zheng-dashuang", "闽L55501", "02").await["code"],
        "1001",
        "no policy is known"
    );
    let told = async |gateway: &mut Gateway, id: &str, plate: &str| {
        gateway
            .ask("traffic/vehicle/insurance", &with_plate(id, plate, "02"))
            .await
    };
    assert_eq!(
        told(&mut gateway, "chen-weidong", "晋N35T08").await["data"]["bxzzrq"],
        "2027-05-06"
    );
    assert_eq!(
        told(&mut gateway, "li-meiling", "晋N35T08").await["code"],
        "1001",
        "the owner alone"
    );
    let bought = policies(&mut gateway, "mao-new-plate", "冀K88Z01", "02").await;
    let as_told = told(&mut gateway, "mao-new-plate", "冀K88Z01").await;
    assert!(as_told["data"]["bxzzrq"].is_string());
    assert_ne!(
        as_told["data"]["bxzzrq"], bought["data"]["jqxzbrq"],
        "the two differ"
    );
    let visits = async |gateway: &mut Gateway, id: &str, plate: &str| {
        gateway
            .ask("repair/record/query", &with_plate(id, plate, "02"))
            .await
    };
    let bought = visits(&mut gateway, "mao-new-plate", "冀K88Z01").await;
    assert_eq!(
        bought["data"]["jls"].as_array().map(Vec::len),
        Some(1),
        "not what was before this owner"
    );
    assert_eq!(bought["data"]["zjlc"], 93_500);
    assert_eq!(
        visits(&mut gateway, "zheng-dashuang", "闽L55501").await["code"],
        "1001"
    );
}

#[tokio::test]
async fn the_crowd_answers_like_the_cast() {
    let mut gateway = Gateway::with_suite(crypto::Suite::Intl, |sandbox| sandbox.with_crowd(1_000_000));
    for i in [0, 1, 999_999] {
        let member = sandbox::crowd_member(i).unwrap();
        let vehicle = &member.vehicles[0];
        let person = json!({ "xm": member.name, "sfzmhm": member.id_number });
        let asked = with(
            with_plate("kong-kong", &vehicle.plate, &vehicle.class),
            person.clone(),
        );
        assert_eq!(
            gateway.data("traffic/vehicle/query", &asked).await["clsbdh"],
            vehicle.vin
        );
        let asked = with(with(about("kong-kong"), person), json!({ "sjhm": member.phone }));
        assert_eq!(gateway.code("carrier/holder/match", &asked).await, "0");
    }
    let outside = sandbox::crowd_member(1_000_000).unwrap();
    let asked = with(
        about("kong-kong"),
        json!({ "xm": outside.name, "sfzmhm": outside.id_number }),
    );
    assert_eq!(gateway.code("population/identity/match", &asked).await, "1001");
}
