//! Names: GUIDs, URNs, magnet links.

use p2p_core::Rng;
use p2p_gnutella::guid::{Guid, NotAGuid};
use p2p_gnutella::huge::{Huge, NotAUrn, parse_tth, tth_text};
use p2p_gnutella::magnet::MagnetError;
use p2p_gnutella::{Magnet, Urn};
use proptest::prelude::*;

const SHA1: &str = "urn:sha1:PLSTHIPQGSSZTS5FJUPAKUZWUGYQYPFB";
const TTH: &str = "LWPNACQDBZRYXW3VHJVCJ64QBZNGHOHHHZWCLNQ";

#[test]
fn guids_and_their_marks() {
    let mut rng = Rng::fast_from(1);
    let guid = Guid::of_message(&mut rng);
    assert!(guid.is_modern() && guid.0[15] == 0 && guid != Guid::of_message(&mut rng));
    let to = "198.51.100.7:6347".parse().unwrap();
    let oob = Guid::out_of_band(to, &mut rng);
    assert_eq!(
        (oob.reply_to(), &oob.0[..4], &oob.0[13..15]),
        (to, &[198, 51, 100, 7][..], &[0xcb, 0x18][..])
    );
    // A query that was recorded: of 203.0.113.2, port 6346.
    let recorded: Guid = "cb0071023102e2b2cbe3c01730ca18ab".parse().unwrap();
    assert_eq!(recorded.reply_to(), "203.0.113.2:6346".parse().unwrap());
    assert_eq!(recorded.to_string().to_uppercase().parse(), Ok(recorded));
    assert_eq!(Guid::from_base32(&recorded.to_base32().to_lowercase()), Some(recorded));
    for bad in ["", "cb", "cb0071023102e2b2cbe3c01730ca18ag", "cb0071023102e2b2cbe3c01730ca18abcd"] {
        assert_eq!(bad.parse::<Guid>(), Err(NotAGuid), "{bad}");
    }
    assert!(Guid::ZERO.is_zero() && !recorded.is_zero() && Guid::from_base32("A").is_none());
}

#[test]
fn urns_in_all_their_forms() {
    let sha1: Urn = SHA1.parse().unwrap();
    assert_eq!(SHA1.to_lowercase().parse(), Ok(sha1));
    let bitprint: Urn = format!("urn:bitprint:{}.{TTH}", &SHA1[9..]).parse().unwrap();
    assert_eq!((bitprint.sha1(), bitprint.tth()), (sha1.sha1(), parse_tth(TTH)));
    for text in ["urn:tree:tiger:", "urn:tree:tiger/:", "URN:ttroot:", "urn:tree:tiger/1024:"] {
        let urn: Urn = format!("{text}{TTH}").parse().unwrap();
        assert_eq!((urn.sha1(), urn.tth()), (None, parse_tth(TTH)));
    }
    assert_eq!(tth_text(&parse_tth(TTH).unwrap()), TTH);
    let md5: Urn = "urn:md5:d41d8cd98f00b204e9800998ecf8427e".parse().unwrap();
    assert_eq!(md5.to_string(), "urn:md5:1B2M2Y8AsgTpgAmY7PhCfg==");
    for bad in [
        "",
        "urn:",
        "urn:sha1:",
        &SHA1[..40],
        &format!("{SHA1}A"),
        "sha1:x",
        "urn:sha1:1LSTHIPQGSSZTS5FJUPAKUZWUGYQYPFB",
        "urn:uuid:x",
    ] {
        assert_eq!(bad.parse::<Urn>(), Err(NotAUrn), "{bad}");
    }
    assert_eq!(Huge::parse(SHA1.as_bytes()), Some(Huge::Urn(sha1)));
    assert_eq!(Huge::parse(b"urn:"), Some(Huge::Wanted(b"urn:")));
    assert_eq!(Huge::parse(b"URN:SHA1:"), Some(Huge::Wanted(b"URN:SHA1:")));
    assert_eq!(Huge::parse(b"urn:x:y"), Some(Huge::Other(b"urn:x:y")));
    assert_eq!(Huge::parse(b"<xml>"), None);
}

#[test]
fn magnet_links() {
    // As gtk-gnutella is given them.
    let link = format!(
        "magnet:?xt={SHA1}&dn=charlie+quartz%20archive.zip&xl=2500000&xs=push://a7af3102b2cdefc7e9ee4efde9d9c75f:198.51.100.1:6346/uri-res/N2R?{SHA1}"
    );
    let magnet: Magnet = link.parse().unwrap();
    assert_eq!(magnet.name.as_deref(), Some("charlie quartz archive.zip"));
    assert!(magnet.sources[0].starts_with("push://") && magnet.size == Some(2_500_000));
    assert_eq!(magnet.to_string().parse(), Ok(magnet));
    let many = format!(
        "magnet:?xt.1={SHA1}&xt.2=urn:tree:tiger:{TTH}&xt=urn:btih:0&xt={SHA1}&as=http://b/&xs=http://a/&kt=blue+train"
    );
    let magnet: Magnet = many.parse().unwrap();
    assert_eq!(
        (magnet.urns.len(), magnet.sources.as_slice()),
        (2, &["http://a/".into(), "http://b/".into()][..])
    );
    assert_eq!((magnet.tth(), magnet.keywords.as_deref()), (parse_tth(TTH), Some("blue train")));
    for (link, why) in [
        ("http://a/", MagnetError::Scheme),
        ("http://a/?xt=1", MagnetError::Scheme),
        ("magnet:?dn=x", MagnetError::Nothing),
        ("magnet:?xt=urn:btih:a9993e364706816aba3e25717850c26c9cd0d89d", MagnetError::Nothing),
        (&format!("magnet:?xt={SHA1}{}", "&".repeat(20_000)), MagnetError::TooLong),
    ] {
        assert_eq!(link.parse::<Magnet>(), Err(why), "{link}");
    }
    let flood: String = (0..2_000).map(|i| format!("&xs=http://{i}")).collect();
    assert_eq!(format!("magnet:?xt={SHA1}{flood}").parse::<Magnet>().unwrap_err(), MagnetError::TooLong);
    let flood: String = (0..500).map(|i| format!("&xs=http://{i}")).collect();
    assert_eq!(format!("magnet:?xt={SHA1}{flood}").parse::<Magnet>().unwrap().sources.len(), 64);
}

proptest! {
    #[test]
    fn links_come_back(name in "\\PC{1,40}", size in any::<u64>(), words in "[a-z ]{1,20}[a-z]", source in "http://[!-~]{1,60}") {
        let mut magnet = Magnet::new(SHA1.parse().unwrap());
        magnet.name = Some(name);
        magnet.size = Some(size);
        magnet.keywords = Some(words);
        magnet.sources = vec![source];
        prop_assert_eq!(magnet.to_string().parse(), Ok(magnet));
    }

    #[test]
    fn any_text_is_read(text in "(magnet:\\?)?(xt=urn:(sha1|bitprint|md5|ttroot):)?[A-Za-z2-7%&=.?:+é]{0,80}") {
        let _ = text.parse::<Magnet>();
        let _ = text.parse::<Urn>();
        let _ = text.parse::<Guid>();
        let _ = Guid::from_base32(&text);
    }
}
