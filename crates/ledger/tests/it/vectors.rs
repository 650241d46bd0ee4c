//! The formats, pinned byte for byte. If one of these tests fails, the format changed: receipts that people
//! hold no longer verify. Do not adapt the vector; take back the change, or add a new version beside.
//!
//! The hashes and key ids were computed a second time by a script of another language.

use crate::sample::*;
use ledger::leaf::{leaf_data, leaf_hash};
use ledger::opening::field_commitment;
use ledger::{Chain, Commitment, Frontier, Note, Proof, Receipt, Salt, Shared, TrustedKeys, receipt};

/// The sample's shared opening.
const SHARED: &str = "\
    b3617601646b696e646776656869636c65646d6f646564726561646474696d651b00065bfeda25e00064747970656752454c\
    454153456561735f6f661b00065bfe9e8b16006562617369736e7374617475746f72792d64757479666669656c6473826376\
    696e76696e7370656374696f6e5f76616c69645f756e74696c666c6f6f6b7570501010101010101010101010101010101066\
    6e6f7469636558200e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e66706f6c696379686231\
    39343661633966736f757263656f73616e64626f782d74726166666963676d617070696e676131676f7574636f6d6565666f\
    756e6467707572706f73656f6f776e2d696e666f726d6174696f6e677375626a656374505b5b5b5b5b5b5b5b5b5b5b5b5b5b\
    5b5b69646973636c6f736564a26376696e58206ec5e25b496856e00d21889f7ebb4f773462cf252c140f1b464eb4b6307973\
    fc76696e7370656374696f6e5f76616c69645f756e74696c5820e122c806e60c436e2a4d322fdc7b28ffd0de0e87cd43e2a6\
    fd7d1ce75c2a6ccb6c61757468656e7469636974796773657373696f6e6c6b696e645f76657273696f6e6131";

/// The sample's chain opening.
const CHAIN: &str = "a6617601656f776e6572500a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a67726561736f6e7381695045524d49\
    545445446870726576696f757358207777777777777777777777777777777777777777777777777777777777777777687365\
    7175656e63650169726571756573746572a3626964501d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d64726f6c656473656c66656c\
    6576656c02";

/// The sample's receipt: after five entries, before six others, signed by both keys and one witness.
const RECEIPT: &str = concat!(
    r#"{"format":"mingcha-receipt-v1","shared":"s2F2AWRraW5kZ3ZlaGljbGVkbW9kZWRyZWFkZHRpbWUbAAZb_tol4A"#,
    "BkdHlwZWdSRUxFQVNFZWFzX29mGwAGW_6eixYAZWJhc2lzbnN0YXR1dG9yeS1kdXR5ZmZpZWxkc4Jjdmludmluc3BlY3Rpb",
    "25fdmFsaWRfdW50aWxmbG9va3VwUBAQEBAQEBAQEBAQEBAQEBBmbm90aWNlWCAODg4ODg4ODg4ODg4ODg4ODg4ODg4ODg4O",
    "Dg4ODg4ODmZwb2xpY3loYjE5NDZhYzlmc291cmNlb3NhbmRib3gtdHJhZmZpY2dtYXBwaW5nYTFnb3V0Y29tZWVmb3VuZGd",
    "wdXJwb3Nlb293bi1pbmZvcm1hdGlvbmdzdWJqZWN0UFtbW1tbW1tbW1tbW1tbW1tpZGlzY2xvc2VkomN2aW5YIG7F4ltJaF",
    "bgDSGIn367T3c0Ys8lLBQPG0ZOtLYweXP8dmluc3BlY3Rpb25fdmFsaWRfdW50aWxYIOEiyAbmDENuKk0yL9x7KP_Q3g6Hz",
    r#"UPipv19HOdcKmzLbGF1dGhlbnRpY2l0eWdzZXNzaW9ubGtpbmRfdmVyc2lvbmEx","shared_salt":"WlpaWlpaWlpaWlp"#,
    r#"aWlpaWlpaWlpaWlpaWlpaWlpaWlo","chain_commitment":"oNm8ULUjMUv-nY_G4ebpy8IY_rJCR_ICY62uexzwmqA","#,
    r#""proof":"c2sp.org/tlog-proof@v1\nindex 5\nmJkwf510d0YSJXXt7rOWPHyDwCkkH4Kj0XuZlyh42w4=\np9kYlLY"#,
    r"fv0Y3jYjj4bH3rvOVMsUEtIS9MVUdFeCgnf8=\nsV0rGwetramxO1VcCAYrGueK0bC36Z2X2ULJNqYkRDk=\ncapnwf/E3t",
    r"SSOgn43kXzHOCbOvv6RDwqJmMHKOul3dM=\n\nlog.example/mingcha/demo/0\n12\ngCHUZLwy+JXei812WT03vz5bi",
    r"j7hCrVzHXcATjw2hGs=\n\n— log.example/mingcha/demo/0 zRVaLrV+SW+x9ZXShfuBQJQR0/eITsOVjKHk8oCoLDj",
    r"tVscOLl/X4ddwbeMSJ+PEMiI/q7gPcUJ/y5FRff5k2c74pgs=\n— log.example/mingcha/demo/0 tdM7pellCc96qeE",
    r"p0yPYhZ1X1ZH/H5IQex415Hfad18ArbYRVeil0/uJra7oRNeJU2pm0FLwHVmIexQOzdxuvfkG4aE=\n— witness.exampl",
    "e/5 HxL8RAAAAABqsTuFhqMlByx/x+tcveE7vmJ4MkwJrZOJ81/FtIRYik8ZzhTVm1wuV8ECtpcQFk7EuNb7g6hTKvLwEr7",
    r#"+xMcP8wOmAw==\n"}"#,
);

fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn commitments() {
    let salt = Salt::new([0x5a; 32]);
    assert_eq!(
        hex(Shared::commitment(b"bytes", &salt)),
        "8305b2ac70d7ea0242de8963f4f069270c5ed12b0dad532bbaa712ff72880cd2"
    );
    assert_eq!(
        hex(Chain::commitment(b"bytes", &salt)),
        "56e882045938b5bf49a0407ef093f7b9d4cfea71666c5c07e80f16f9d2911d6c"
    );
    assert_eq!(
        hex(field_commitment("vin", "LNOTACAR000000001", &salt)),
        "a28e4fd88151ab3b935eab2ebd6e2cb11a593e761e15fc06c5123acfc233fe14"
    );
    // What another source says of the same field.
    assert_eq!(
        hex(field_commitment(
            "vin@sandbox-traffic",
            "LNOTACAR000000001",
            &salt
        )),
        "4a2adb9e818eeb34ac3f45acce8ab027710d4627ce564bae3950e3eb77ff65d0"
    );
}

#[test]
fn leaf() {
    let (shared, chain) = (Commitment([0x11; 32]), Commitment([0x22; 32]));
    assert_eq!(
        hex(leaf_data(ORIGIN, &shared, &chain)),
        "01ea89d2089d5204c9f52afe6eefe9b03d92bc4b275ecfabc9cda338db7b95907d"
    );
    assert_eq!(
        hex(leaf_hash(ORIGIN, &shared, &chain)),
        "6b7fb18cebb7c7368af8b363f189e74240b876690ee70f33e10d2ce0a6d48b8c"
    );
}

#[test]
fn openings() {
    assert_eq!(hex(sample_shared().to_bytes().unwrap()), SHARED);
    assert_eq!(hex(sample_chain().to_bytes().unwrap()), CHAIN);
}

#[test]
fn frontier() {
    let mut frontier = Frontier::new();
    leaf_hashes(5).into_iter().for_each(|leaf| frontier.append(leaf));
    assert_eq!(
        hex(frontier.to_bytes()),
        "0000000000000005b15d2b1b07adada9b13b555c08062b1ae78ad1b0b7e99d97d942c936a6244439\
         9899307f9d747746122575edeeb3963c7c83c029241f82a3d17b99972878db0e"
    );
}

#[test]
fn verifier_keys() {
    assert_eq!(
        log_vkey().to_string(),
        "log.example/mingcha/demo/0+cd155a2e+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c"
    );
    assert_eq!(
        sm2_vkey().to_string(),
        "log.example/mingcha/demo/0+b5d33ba5+/21pbmdjaGEtc20yLXYxBIUmEfdErwRWidz79MBDdzDS0t4zKrfw/AJ2nF+rio\
         lDfZOE8Zq4gu1miiiTbbkkdap5rvhpDuNvb7d8abm1cfg="
    );
    assert_eq!(
        witness_vkey(5).to_string(),
        "witness.example/5+1f12fc44+BG56HN0psLeP0Tr0xVmP7/TvKpcWbjym8uT7/M2AUFvx"
    );
}

/// Holds proof, checkpoint and all three kinds of signature lines as well.
#[test]
fn receipt() {
    assert_eq!(sample_receipt(5, 6, true, &[5]).to_json(), RECEIPT);
    let receipt = Receipt::parse(RECEIPT.as_bytes()).unwrap();
    let proof = Proof::parse(&receipt.proof).unwrap();
    assert_eq!(Note::parse(&proof.checkpoint).unwrap().signatures().len(), 3);
    let keys = TrustedKeys::new([log_vkey(), sm2_vkey(), witness_vkey(5)]).unwrap();
    let verified = receipt::verify(RECEIPT.as_bytes(), &keys, verify).unwrap();
    assert_eq!(verified.standing.to_string(), "WITNESSED 1/1");
    assert_eq!(
        hex(verified.leaf_hash),
        "2268d0a6f0b390c1e4623138265cbb8cc667a2da3c7e80535b51928e3c116940"
    );
}
