//! Records of the CBC suites, against records made by hand after RFC 5246.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod forger;

use forger::{BLOCK, Forgery, Keys, MAC, Place};
use proxy_tls_cbc::{
    CBC_SUITES, TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384, TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384,
    with_cbc_suites,
};
use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider};
use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, MessageDecrypter, MessageEncrypter, OutboundChunks, OutboundPlainMessage,
};
use rustls::{CipherSuite, ContentType, Error, ProtocolVersion, SupportedCipherSuite, Tls12CipherSuite};

/// The first record of application data.
const PLACE: Place = Place { seq: 1, typ: 23 };
const IV: [u8; BLOCK] = [0x5A; BLOCK];

fn suite() -> &'static Tls12CipherSuite {
    tls12(&TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384)
}

fn tls12(suite: &'static SupportedCipherSuite) -> &'static Tls12CipherSuite {
    let SupportedCipherSuite::Tls12(suite) = suite else {
        panic!("a suite of TLS 1.2")
    };
    suite
}

fn keys() -> Keys {
    Keys {
        mac: (0..48).collect(),
        aes: (100..132).collect(),
    }
}

fn aead_key(keys: &Keys) -> AeadKey {
    AeadKey::from(<[u8; 32]>::try_from(&keys.aes[..]).unwrap())
}

fn encrypter(keys: &Keys) -> Box<dyn MessageEncrypter> {
    suite().aead_alg.encrypter(aead_key(keys), &keys.mac, &[])
}

fn decrypter(keys: &Keys) -> Box<dyn MessageDecrypter> {
    suite().aead_alg.decrypter(aead_key(keys), &keys.mac)
}

fn encrypt(encrypter: &mut dyn MessageEncrypter, text: &[u8]) -> Vec<u8> {
    let message = OutboundPlainMessage {
        typ: ContentType::ApplicationData,
        version: ProtocolVersion::TLSv1_2,
        payload: OutboundChunks::Single(text),
    };
    let record = encrypter.encrypt(message, PLACE.seq).unwrap().encode();
    assert_eq!(record[..3], [23, 3, 3]);
    assert_eq!(
        usize::from(record[3]) * 256 + usize::from(record[4]),
        record.len() - 5
    );
    record[5..].to_vec()
}

fn decrypt(payload: &[u8], typ: ContentType, seq: u64) -> Result<Vec<u8>, Error> {
    let mut payload = payload.to_vec();
    let message = InboundOpaqueMessage::new(typ, ProtocolVersion::TLSv1_2, &mut payload);
    let plain = decrypter(&keys()).decrypt(message, seq)?;
    Ok(plain.payload.to_vec())
}

fn read(payload: &[u8]) -> Result<Vec<u8>, Error> {
    decrypt(payload, ContentType::ApplicationData, PLACE.seq)
}

fn text(length: usize) -> Vec<u8> {
    (0..=250).cycle().take(length).collect()
}

#[test]
fn what_we_write_reads_by_the_book_and_has_the_promised_length() {
    let mut encrypter = encrypter(&keys());
    for length in (0..130).chain([4095, 4096, 16_383, 16_384]) {
        let payload = encrypt(&mut *encrypter, &text(length));
        assert_eq!(payload.len(), encrypter.encrypted_payload_len(length), "{length}");
        assert_eq!(
            payload.len(),
            BLOCK + ((length + MAC) / BLOCK + 1) * BLOCK,
            "{length}"
        );
        assert_eq!(keys().open(PLACE, &payload), Ok(text(length)), "{length}");
    }
}

#[test]
fn what_is_made_by_the_book_is_read() {
    for length in (0..130).chain([4095, 4096, 16_383, 16_384]) {
        let payload = keys().seal(PLACE, IV, &text(length), Forgery::None);
        assert_eq!(read(&payload), Ok(text(length)), "{length}");
    }
}

#[test]
fn a_peer_may_pad_as_much_as_it_likes() {
    for padding in (4..=256).step_by(BLOCK) {
        let payload = keys().seal(PLACE, IV, &text(12), Forgery::Padded(padding));
        assert_eq!(read(&payload), Ok(text(12)), "{padding}");
    }
    let payload = keys().seal(PLACE, IV, &text(16_384), Forgery::Padded(256));
    assert_eq!(read(&payload), Ok(text(16_384)));
}

#[test]
fn each_record_has_an_iv_of_its_own() {
    let mut encrypter = encrypter(&keys());
    let ivs: std::collections::BTreeSet<Vec<u8>> = (0..1000)
        .map(|_| encrypt(&mut *encrypter, b"same")[..BLOCK].to_vec())
        .collect();
    assert_eq!(ivs.len(), 1000);
}

#[test]
fn a_text_in_pieces_is_one_text() {
    let pieces: [&[u8]; 4] = [b"a", b"", &text(1000), b"z"];
    let message = OutboundPlainMessage {
        typ: ContentType::ApplicationData,
        version: ProtocolVersion::TLSv1_2,
        payload: OutboundChunks::new(&pieces),
    };
    let record = encrypter(&keys()).encrypt(message, PLACE.seq).unwrap().encode();
    assert_eq!(keys().open(PLACE, &record[5..]), Ok(pieces.concat()));
}

#[test]
fn wrong_mac_and_wrong_padding_look_alike() {
    for length in [0, 1, 12, 47, 48, 4096, 16_384] {
        for forgery in [
            Forgery::Mac,
            Forgery::PaddingByte,
            Forgery::PaddingTooLong,
            Forgery::MacAndPadding,
        ] {
            let payload = keys().seal(PLACE, IV, &text(length), forgery);
            assert_eq!(
                read(&payload),
                Err(Error::DecryptError),
                "{forgery:?} of {length}"
            );
        }
    }
}

#[test]
fn each_changed_byte_is_found() {
    let payload = keys().seal(PLACE, IV, b"hello", Forgery::None);
    assert_eq!(payload.len(), 80);
    for at in 0..payload.len() {
        for change in [1, 0x80, 0xFF] {
            let mut changed = payload.clone();
            changed[at] ^= change;
            assert_eq!(
                read(&changed),
                Err(Error::DecryptError),
                "byte {at} changed by {change}"
            );
        }
    }
}

#[test]
fn each_truncation_and_extension_is_found() {
    let payload = keys().seal(PLACE, IV, &text(100), Forgery::None);
    for length in 0..payload.len() {
        assert_eq!(read(&payload[..length]), Err(Error::DecryptError), "{length}");
    }
    for more in [1, BLOCK, 256] {
        let longer = [&payload[..], &vec![0; more]].concat();
        assert_eq!(read(&longer), Err(Error::DecryptError), "{more}");
    }
}

#[test]
fn a_record_out_of_its_place_is_found() {
    let payload = keys().seal(PLACE, IV, b"hello", Forgery::None);
    let data = ContentType::ApplicationData;
    assert_eq!(decrypt(&payload, data, PLACE.seq), Ok(b"hello".to_vec()));
    // Replayed, or after one that was dropped.
    for seq in [PLACE.seq + 1, PLACE.seq - 1] {
        assert_eq!(decrypt(&payload, data, seq), Err(Error::DecryptError));
    }
    assert_eq!(
        decrypt(&payload, ContentType::Alert, PLACE.seq),
        Err(Error::DecryptError)
    );
    let other = Keys {
        mac: vec![1; 48],
        ..keys()
    };
    let foreign = other.seal(PLACE, IV, b"hello", Forgery::None);
    assert_eq!(read(&foreign), Err(Error::DecryptError));
}

#[test]
fn a_refused_record_changes_nothing_for_the_next_pair_of_keys() {
    let mut opener = decrypter(&keys());
    let mut open = |payload: &[u8]| {
        let mut payload = payload.to_vec();
        let message = InboundOpaqueMessage::new(
            ContentType::ApplicationData,
            ProtocolVersion::TLSv1_2,
            &mut payload,
        );
        opener
            .decrypt(message, PLACE.seq)
            .map(|plain| plain.payload.to_vec())
    };
    let good = keys().seal(PLACE, IV, b"hello", Forgery::None);
    for forgery in [Forgery::Mac, Forgery::PaddingByte, Forgery::PaddingTooLong] {
        let bad = keys().seal(PLACE, IV, b"hello", forgery);
        assert_eq!(open(&bad), Err(Error::DecryptError));
        assert_eq!(open(&good), Ok(b"hello".to_vec()));
    }
}

#[test]
fn an_authentic_record_that_is_too_long_is_refused_by_name() {
    let payload = keys().seal(PLACE, IV, &text(16_385), Forgery::None);
    assert_eq!(read(&payload), Err(Error::PeerSentOversizedRecord));
}

#[test]
fn the_key_block_is_turned_and_nothing_else_is() {
    let (secret, client, server) = ([7; 48], [1; 32], [2; 32]);
    let seed = [server, client].concat();
    let derive = |label: &[u8], length: usize| {
        let mut output = vec![0; length];
        suite()
            .prf_provider
            .for_secret(&mut output, &secret, label, &seed);
        output
    };
    // As rustls cuts it: keys of client and server, then what it takes for IVs.
    let block = derive(b"key expansion", 160);
    let (of_client, of_server) = Keys::of_connection(&secret, &client, &server);
    assert_eq!(block[..32], of_client.aes);
    assert_eq!(block[32..64], of_server.aes);
    assert_eq!(block[64..112], of_client.mac);
    assert_eq!(block[112..], of_server.mac);
    let shape = suite().aead_alg.key_block_shape();
    assert_eq!(
        (shape.enc_key_len, shape.fixed_iv_len, shape.explicit_nonce_len),
        (32, 48, 0)
    );
    for (label, length) in [
        (&b"master secret"[..], 48),
        (b"client finished", 12),
        (b"exporter", 160),
    ] {
        assert_eq!(derive(label, length), forger::prf(&secret, label, &seed, length));
    }
}

#[test]
fn keys_of_a_wrong_length_encrypt_and_decrypt_nothing() {
    let mut encrypter = suite().aead_alg.encrypter(aead_key(&keys()), &[0; 47], &[]);
    let message = OutboundPlainMessage {
        typ: ContentType::ApplicationData,
        version: ProtocolVersion::TLSv1_2,
        payload: OutboundChunks::Single(b"hello"),
    };
    assert!(matches!(encrypter.encrypt(message, 1), Err(Error::EncryptError)));
    let mut payload = keys().seal(PLACE, IV, b"hello", Forgery::None);
    let message = InboundOpaqueMessage::new(
        ContentType::ApplicationData,
        ProtocolVersion::TLSv1_2,
        &mut payload,
    );
    let mut decrypter = suite().aead_alg.decrypter(aead_key(&keys()), &[0; 47]);
    assert_eq!(decrypter.decrypt(message, 1).map(drop), Err(Error::DecryptError));
}

#[test]
fn the_suites_come_last_and_sign_as_their_gcm_twins() {
    let provider = with_cbc_suites(default_provider());
    let names: Vec<CipherSuite> = provider
        .cipher_suites
        .iter()
        .map(SupportedCipherSuite::suite)
        .collect();
    let last = [
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384,
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384,
    ];
    assert!(names.ends_with(&last), "{names:?}");
    assert_eq!(
        names.len(),
        default_provider().cipher_suites.len() + CBC_SUITES.len()
    );
    for (cbc, gcm) in [
        (
            &TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384,
            &cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        ),
        (
            &TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384,
            &cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        ),
    ] {
        assert_eq!(tls12(cbc).sign, tls12(gcm).sign);
        assert!(!tls12(cbc).fips());
    }
}
