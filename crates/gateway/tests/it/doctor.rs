//! `mingcha doctor` by the program itself.

use domain::purpose::PurposeRegister;
use gateway::{app::hex, config::Config};

use crate::deployment::Deployment;

#[test]
fn it_is_told_by_which_register_of_purposes_is_decided() {
    let deployment = Deployment::new();
    deployment.done(&["migrate"]);
    // There is something to check besides.
    deployment.done(&["keys", "rotate", "--by", "wang"]);
    let said = deployment.done(&["doctor"]);
    let config = Config::parse(&deployment.config, std::iter::empty()).unwrap();
    let register = PurposeRegister::new(config.purposes).unwrap();
    let told = format!(", purposes {}, ", hex(&register.version()[..16]));
    assert!(said.contains(&told), "{told} is not in\n{said}");
}
