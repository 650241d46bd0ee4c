//! How long a session lives, and how far clocks may differ.

use crypto::{
    Suite,
    session::{Initiator, LIFETIME_US, SKEW_US, SessionError, accept},
};

use crate::session::{ID, NOW, Parties, session};

#[test]
fn a_session_ends_after_an_hour_at_both_ends() {
    let (client, server) = session(Suite::Intl);
    let end = NOW + LIFETIME_US;
    let request = client.seal_request(ID, "vehicle", end - 1, b"plate").unwrap();
    assert_eq!(
        server.open_request(&request.bytes, end).unwrap_err(),
        SessionError::Expired
    );
    let opened = server.open_request(&request.bytes, end - 1).unwrap();
    let reply = server.seal_reply(&opened.exchange, end - 1, b"record").unwrap();
    assert_eq!(
        client.open_reply(&request.exchange, &reply, end),
        Err(SessionError::Expired)
    );
    assert!(client.open_reply(&request.exchange, &reply, end - 1).is_ok());
    for now in [end, end + 1, i64::MAX] {
        assert_eq!(
            client.seal_request(ID, "vehicle", now, b"").unwrap_err(),
            SessionError::Expired
        );
        assert_eq!(
            server.seal_reply(&opened.exchange, now, b"").unwrap_err(),
            SessionError::Expired
        );
    }
    // A clock set back does not give the session more than its hour.
    for now in [NOW - SKEW_US - 1, i64::MIN] {
        assert_eq!(
            client.seal_request(ID, "vehicle", now, b"").unwrap_err(),
            SessionError::Expired
        );
    }
    assert!(client.seal_request(ID, "vehicle", NOW - SKEW_US, b"").is_ok());
}

#[test]
fn clocks_may_differ_by_a_minute() {
    let (client, server) = session(Suite::Intl);
    let later = NOW + 2 * SKEW_US;
    for (difference, allowed) in [
        (SKEW_US, true),
        (SKEW_US + 1, false),
        (-SKEW_US, true),
        (-SKEW_US - 1, false),
    ] {
        let request = client.seal_request(ID, "vehicle", later, b"plate").unwrap();
        let opened = server.open_request(&request.bytes, later + difference);
        assert_eq!(opened.is_ok(), allowed, "{difference}");
        if !allowed {
            assert_eq!(opened.unwrap_err(), SessionError::Skew);
            assert!(
                server.open_request(&request.bytes, later).is_ok(),
                "a refusal takes no place in the window"
            );
        }
    }
    let request = client.seal_request(ID, "vehicle", later, b"plate").unwrap();
    let opened = server.open_request(&request.bytes, later).unwrap();
    let reply = server.seal_reply(&opened.exchange, later, b"record").unwrap();
    assert_eq!(
        client.open_reply(&request.exchange, &reply, later + SKEW_US + 1),
        Err(SessionError::Skew)
    );
}

#[test]
fn a_hello_must_expire_within_the_coming_hour() {
    let mut parties = Parties::new(Suite::Intl);
    let (traffic, mingcha) = (parties.traffic.peer(), parties.mingcha.peer());
    let (_, hello) = Initiator::start(&parties.mingcha, &traffic, NOW, &mut parties.rng).unwrap();
    let mut at = |now| accept(&parties.traffic, &mingcha, &hello, now, &mut parties.rng).map(|_| ());
    assert_eq!(at(NOW - SKEW_US), Ok(()));
    assert_eq!(at(NOW - SKEW_US - 1), Err(SessionError::BadExpiry));
    assert_eq!(at(NOW + LIFETIME_US - 1), Ok(()));
    assert_eq!(at(NOW + LIFETIME_US), Err(SessionError::BadExpiry));
    assert_eq!(at(i64::MIN), Err(SessionError::BadExpiry));
    assert_eq!(at(i64::MAX), Err(SessionError::BadExpiry));
    let (initiator, hello) = Initiator::start(&parties.mingcha, &traffic, NOW, &mut parties.rng).unwrap();
    let (_, welcome) = accept(&parties.traffic, &mingcha, &hello, NOW, &mut parties.rng).unwrap();
    assert_eq!(
        initiator.finish(&welcome, NOW + LIFETIME_US).unwrap_err(),
        SessionError::Expired
    );
}
