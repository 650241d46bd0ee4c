//! The files by which a gateway finds the sandbox: as for a real source, but with keys drawn at start.

use crate::{
    authority::Authority,
    keys::{GATEWAY_NAME, Keys},
    signed::{API_KEY, NONCE, SIGNATURE, TIME},
};

/// File name and TOML text of every source of the sandbox, ready for the crate `sources` in the demo realm.
///
/// `base_url` is where the router listens, such as `http://127.0.0.1:8701`. The texts hold the gateway's secret
/// key: they belong in memory, or in a folder that only the demo can read.
#[must_use]
pub fn source_files(base_url: &str, keys: &Keys) -> Vec<(String, String)> {
    let file = |authority: Authority| {
        let text = template(authority).replace("{base}", base_url.trim_end_matches('/'));
        let name = format!("{}.toml", Keys::name_of(authority));
        if authority.signs() {
            return (name, format!("{text}\n{}", signed(authority, keys)));
        }
        let text = format!(
            "{text}\n[envelope]\nsuite = \"{suite}\"\nown_name = \"{GATEWAY_NAME}\"\nown_key = \"base64:{own}\"\n\
             peer_name = \"{peer}\"\npeer_key = \"{public}\"\n",
            suite = keys.suite(),
            own = keys.gateway().to_base64().expose(),
            peer = Keys::name_of(authority),
            public = keys.peer(authority).to_base64(),
        );
        (name, text)
    };
    Authority::ALL.into_iter().map(file).collect()
}

/// How an authority is asked that is asked in the clear and signs its replies.
fn signed(authority: Authority, keys: &Keys) -> String {
    format!(
        "[auth.api-key]\nheader = \"{API_KEY}\"\nsecret = \"literal:{secret}\"\n\n\
         [signature]\nkey = \"{key}\"\nheader = \"{SIGNATURE}\"\ntime = \"{TIME}\"\nnonce = \"{NONCE}\"\n",
        secret = keys.api_key().expose(),
        key = keys.peer(authority).to_base64(),
    )
}

fn template(authority: Authority) -> &'static str {
    match authority {
        Authority::Population => include_str!("../sources/population.toml"),
        Authority::Traffic => include_str!("../sources/traffic.toml"),
        Authority::CivilAffairs => include_str!("../sources/civil-affairs.toml"),
        Authority::Carrier => include_str!("../sources/carrier.toml"),
        Authority::Insurance => include_str!("../sources/insurance.toml"),
        Authority::Repair => include_str!("../sources/repair.toml"),
    }
}
