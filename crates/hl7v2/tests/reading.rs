//! Reading: the odd inputs of live feeds, and what must come of them.

use hl7v2::{Charset, IssueKind, Message, Peek, Presence, dictionary};

fn kinds(message: &Message<'_>) -> Vec<IssueKind> {
    message.issues().iter().map(|issue| issue.kind).collect()
}

fn names(message: &Message<'_>) -> Vec<String> {
    message.segments().map(|segment| segment.name().to_owned()).collect()
}

fn field(message: &Message<'_>, segment: &str, field: usize) -> String {
    message.segment_named(segment, 1).expect("segment").field(field).text().into_owned()
}

const ADT: &[u8] = b"MSH|^~\\&|APP^1.2^ISO|FAC|RAPP|RFAC|20260102030405-0500||ADT^A08|ID 1|P|2.5.1|||AL|NE||8859/1\rEVN|A08\rPID|1||77^^^H&1.2.3&ISO^MR~88^^^^PI||DOE^JO||\"\"|F\rPV1|1|I";

#[test]
fn fields_components_and_repetitions_are_numbered_as_in_the_standard() {
    let message = Message::read(ADT).expect("readable");
    assert_eq!(field(&message, "MSH", 1), "|");
    assert_eq!(field(&message, "MSH", 2), "^~\\&");
    assert_eq!(field(&message, "MSH", 4), "FAC");
    let ids = message.segment_named("PID", 1).expect("PID").field(3);
    assert_eq!(ids.repetition_count(), 2);
    assert_eq!(ids.component(1).raw(), b"77");
    assert_eq!(ids.repetition(1).component(5).raw(), b"PI");
    assert_eq!(ids.component(4).subcomponent(2).raw(), b"1.2.3");
    assert_eq!(ids.component(4).subcomponent_count(), 3);
    assert_eq!(ids.repetition(2).presence(), Presence::Absent);
    assert_eq!(ids.component(9).presence(), Presence::Absent);
    assert_eq!(ids.component(1).component(1).subcomponent(1).raw(), b"77");
    let leaves: Vec<_> = ids
        .leaves()
        .map(|leaf| (leaf.path.repetition, leaf.path.component, leaf.path.subcomponent))
        .collect();
    assert_eq!(leaves, [(0, 1, 1), (0, 4, 1), (0, 4, 2), (0, 4, 3), (0, 5, 1), (1, 1, 1), (1, 5, 1)]);
    assert!(message.issues().is_empty());
}

#[test]
fn null_differs_from_absent() {
    let message = Message::read(b"MSH|^~\\&|\rPID|\"\"||\"\"^\"\"|^^|a^\"\"|\"\"~\"\"").expect("readable");
    let pid = message.segment(1).expect("PID");
    let presences: Vec<_> = (1..=7).map(|n| pid.field(n).presence()).collect();
    use Presence::{Absent, Null, Valued};
    assert_eq!(presences, [Null, Absent, Null, Absent, Valued, Null, Absent]);
    assert_eq!(pid.field(1).text(), "");
}

#[test]
fn every_leaf_path_leads_back_to_its_leaf() {
    let message = Message::read(ADT).expect("readable");
    for leaf in message.leaves() {
        assert_eq!(message.at(leaf.path).span(), leaf.span);
    }
    assert!(message.leaves().all(|leaf| leaf.path.segment != 0 || leaf.path.field > 2));
}

#[test]
fn header_names_who_what_and_how_to_answer() {
    let message = Message::read(ADT).expect("readable");
    let header = message.header();
    assert_eq!((&*header.code(), &*header.event(), &*header.structure()), ("ADT", "A08", "ADT_A01"));
    assert_eq!(header.control_id().raw(), b"ID 1");
    assert_eq!(header.version(), "2.5.1");
    assert_eq!(message.charset(), Charset::WINDOWS_1252);
    assert!(header.is_enhanced_mode());
    assert!(header.accept_acknowledgment().is_some_and(|c| c.wants(true)));
    assert!(header.application_acknowledgment().is_some_and(|c| !c.wants(false)));
}

#[test]
fn debug_prints_no_content() {
    let message = Message::read(ADT).expect("readable");
    let pid = message.segment_named("PID", 1).expect("PID");
    let shown = format!(
        "{message:?} {:?} {:?} {pid:?} {:?} {:?}",
        message.header(),
        message.header().control_id(),
        pid.field(5),
        pid.field(5).decoded()
    );
    assert!(!shown.contains("DOE") && !shown.contains("ID 1"), "{shown}");
}

/// Input, names of the segments, and the issues met.
#[test]
fn odd_line_ends_and_lines_lose_nothing() {
    use IssueKind::{LeadingBytes, LineFeed, SecondHeader, StrayLine};
    let cases: &[(&[u8], &[&str], &[IssueKind])] = &[
        (b"MSH|^~\\&|A\nPID|1\nPV1|1\n", &["MSH", "PID", "PV1"], &[LineFeed]),
        (b"MSH|^~\\&|A\r\nPID|1\r\n", &["MSH", "PID"], &[LineFeed]),
        (b"MSH|^~\\&|A\r\r \rPID|1\r", &["MSH", "PID"], &[]),
        (b"MSH|^~\\&|A\rEVN\rPID|1\r", &["MSH", "EVN", "PID"], &[]),
        (b"\xEF\xBB\xBFMSH|^~\\&|A\rPID|1", &["MSH", "PID"], &[LeadingBytes]),
        (b"\x0BMSH|^~\\&|A\rPID|1\r\x1C\r", &["MSH", "PID"], &[LeadingBytes]),
        (b"  \r\nMSH|^~\\&|A\rPID|1", &["MSH", "PID"], &[LeadingBytes, LineFeed]),
        (
            b"MSH|^~\\&|A\rNTE|1||first\nsecond line\rZPD|x\rpid|2",
            &["MSH", "NTE", "", "ZPD", "pid"],
            &[StrayLine, LineFeed],
        ),
        (b"MSH|^~\\&|A\r\xC3\x84ID|1\rPV1|2", &["MSH", "", "PV1"], &[StrayLine]),
        (b"hello\rMSH|^~\\&|A\rPID|1", &["", "MSH", "PID"], &[StrayLine, LeadingBytes]),
        (b"MSH|^~\\&|A\rPID|1\rMSH|^~\\&|B\rPID|2", &["MSH", "PID", "MSH", "PID"], &[SecondHeader]),
        (b"MSH|^~\\&|A\rPID|1||12MSH|^~\\&|B\rPID|2", &["MSH", "PID", "PID"], &[SecondHeader]),
    ];
    for (input, expected, issues) in cases {
        let message = Message::read(input).expect("readable");
        assert_eq!(&names(&message), expected, "{}", input.escape_ascii());
        assert_eq!(&kinds(&message), issues, "{}", input.escape_ascii());
        let covered: Vec<u8> = message.pieces().flat_map(|piece| piece.span.of(input).to_vec()).collect();
        assert_eq!(&covered, input);
    }
}

#[test]
fn a_stray_line_is_one_leaf_of_its_own() {
    let message = Message::read(b"MSH|^~\\&|A\rNTE|1||x\nfree^text \\T\\ | more").expect("readable");
    let stray = message.segment(2).expect("stray line");
    assert!(stray.is_stray());
    assert_eq!(stray.field(1).text(), "free^text & | more");
    assert_eq!(stray.leaves().count(), 1);
}

#[test]
fn encoding_characters_of_any_number_are_read() {
    let cases: &[(&[u8], bool, &str)] = &[
        (b"MSH|^~\\&|A|B\rPID|1|a^b&c~d", true, "c"),
        (b"MSH|^~\\&#|A|B\rPID|1|a^b&c~d", true, "c"),
        (b"MSH|^~\\|A|B\rPID|1|a^b&c~d", false, "c"),
        (b"MSH|^~\\\\&|A|B\rPID|1|a^b&c~d", false, "c"),
        (b"MSH|^~&|A|B\rPID|1|a^b&c~d", false, "c"),
        (b"MSH|^~|A|B\rPID|1|a^b&c~d", false, "c"),
        (b"MSH|^|A|B\rPID|1|a^b&c~d", false, "c"),
        (b"MSH#*+!@#A#B\rPID#1#a*b@c+d", true, "c"),
        (b"MSH$%@!*$A$B\rPID$1$a%b*c@d", true, "c"),
        (b"MSH|^~\\&#?|A|B\rPID|1|a^b&c~d", false, "c"),
    ];
    for (input, usual, expected) in cases {
        let message = Message::read(input).expect("readable");
        assert_eq!(field(&message, "MSH", 3), "A", "{}", input.escape_ascii());
        let two = message.segment(1).expect("PID").field(2);
        assert_eq!(two.component(2).subcomponent(2).text(), *expected, "{}", input.escape_ascii());
        assert_eq!(two.repetition(1).text(), "d");
        assert_eq!(
            !kinds(&message).contains(&IssueKind::EncodingCharacters),
            *usual,
            "{}",
            input.escape_ascii()
        );
    }
}

#[test]
fn bytes_without_a_header_are_unreadable() {
    for input in [&b""[..], b"PID|1", b"MSH", b"MSHX|^~\\&", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01"] {
        assert!(Message::read(input).is_err(), "{}", input.escape_ascii());
    }
}

#[test]
fn charset_of_the_header_decides_the_text() {
    let utf8 = "MSH|^~\\&||||||||||||||||UNICODE UTF-8\rPID|Müller\\T\\Jörg 患者 😀".as_bytes().to_vec();
    assert_eq!(field(&Message::read(&utf8).expect("readable"), "PID", 1), "Müller&Jörg 患者 😀");
    let latin = b"MSH|^~\\&||||||||||||||||8859/1\rPID|M\xFCller\\XE4\\ \x80";
    assert_eq!(field(&Message::read(latin).expect("readable"), "PID", 1), "Müllerä €");
    let sites = b"MSH|^~\\&|A\rPID|M\xFCller";
    let message = Message::read_with(sites, Charset::WINDOWS_1252).expect("readable");
    assert_eq!(field(&message, "PID", 1), "Müller");
    let message = Message::read(sites).expect("readable");
    assert_eq!(message.charset_violation().map(|span| span.of(sites)), Some(&b"\xFC"[..]));
    assert_eq!(kinds(&message), [IssueKind::CharsetViolation]);
    assert_eq!(field(&message, "PID", 1), "M\u{FFFD}ller");
    let unknown = b"MSH|^~\\&||||||||||||||||EBCDIC\rPID|1";
    let message = Message::read(unknown).expect("readable");
    assert_eq!(
        message.issues().first().map(|i| (i.kind, i.span.of(unknown))),
        Some((IssueKind::UnknownCharset, &b"EBCDIC"[..]))
    );
}

/// The second bytes of these characters are `|`, `^`, `\` and `~`.
#[test]
fn multibyte_characters_hide_no_delimiters() {
    for (label, encoding) in [
        ("GB 18030-2000", encoding_rs::GB18030),
        ("BIG-5", encoding_rs::BIG5),
        ("ISO IR87", encoding_rs::ISO_2022_JP),
    ] {
        let text = match label {
            "ISO IR87" => "日本太郎、図表",
            "BIG-5" => "許功蓋餐",
            _ => "亅乗俓倈",
        };
        let name = encoding.encode(text).0.into_owned();
        assert!(
            name.iter().any(|b| b"|^\\~&".contains(b)) || label != "BIG-5",
            "the sample must be a hard one"
        );
        let mut bytes = format!("MSH|^~\\&||||||||||||||||{label}\rPID|1|").into_bytes();
        bytes.extend_from_slice(&name);
        bytes.extend_from_slice(b"^B|\\T\\c");
        let message = Message::read(&bytes).expect("readable");
        let pid = message.segment(1).expect("PID");
        assert_eq!(pid.field(2).component(1).text(), text, "{label}");
        assert_eq!(pid.field(2).component(2).text(), "B");
        assert_eq!(pid.field(3).text(), "&c");
        assert_eq!(message.charset_violation(), None);
    }
}

#[test]
fn a_byte_order_mark_breaks_no_charset() {
    let message = Message::read_with(b"\xEF\xBB\xBFMSH|^~\\&|A\rPID|\xC3", Charset::ASCII).expect("readable");
    assert_eq!(message.charset_violation().map(|span| (span.start, span.end)), Some((18, 19)));
    let utf16: Vec<u8> = "MSH|^~\\&|A".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(Message::read(&utf16).err(), Some(hl7v2::Unreadable::Utf16));
}

#[test]
fn peek_reads_header_and_patient() {
    let peek = Peek::read(ADT, Charset::UTF_8).expect("readable");
    assert_eq!(peek.header().event(), "A08");
    assert_eq!(peek.patient(3).component(1).raw(), b"77");
    let stray = Peek::read(b"MSH|^~\\&|A\rPIDX|1|2|0\rPID|1|2|3", Charset::UTF_8).expect("readable");
    assert_eq!(stray.patient(3).raw(), b"3");
    let without = Peek::read(b"MSH|^~\\&|A\rEVN|1", Charset::UTF_8).expect("readable");
    assert_eq!(without.patient(3).presence(), Presence::Absent);
}

#[test]
fn too_many_repetitions_are_refused_not_cut() {
    let mut bytes = b"MSH|^~\\&|A\rPID|1|".to_vec();
    bytes.extend(std::iter::repeat_n(b'~', 70_000));
    assert!(Message::read(&bytes).is_err());
    let mut bytes = b"MSH|^~\\&|A\rPID|".to_vec();
    bytes.extend(std::iter::repeat_n(b'|', 5_000));
    assert!(Message::read(&bytes).is_err());
}

fn shape(instance: &dictionary::GroupInstance, message: &Message<'_>) -> String {
    let children = instance.children.iter().map(|child| match child {
        dictionary::Node::Segment(at) => message.segment(*at).map_or("?", |s| s.name()).to_owned(),
        dictionary::Node::Group(group) => shape(group, message),
    });
    format!("{}({})", instance.name, children.collect::<Vec<_>>().join(" "))
}

fn arranged(structure: &str, segments: &str) -> String {
    let text =
        segments.split(' ').map(|n| if n == "MSH" { "MSH|^~\\&|A\r".to_owned() } else { format!("{n}|1\r") });
    let text = text.collect::<String>();
    let message = Message::read(text.as_bytes()).expect("readable");
    shape(
        &dictionary::arrange(&message, dictionary::structure(structure).expect("known structure")),
        &message,
    )
}

#[test]
fn segments_find_their_groups() {
    let cases = [
        (
            "ORU_R01",
            "MSH PID NTE PV1 ORC OBR NTE OBX NTE OBX OBX ORC OBR OBX SPM OBX ZXX",
            "ORU_R01(MSH PATIENT_RESULT(PATIENT(PID NTE VISIT(PV1)) ORDER_OBSERVATION(ORC OBR NTE OBSERVATION(OBX NTE) OBSERVATION(OBX) OBSERVATION(OBX)) ORDER_OBSERVATION(ORC OBR OBSERVATION(OBX) SPECIMEN(SPM OBX ZXX))))",
        ),
        (
            "ORU_R01",
            "MSH PID OBR OBX OBR OBX PID OBR OBX",
            "ORU_R01(MSH PATIENT_RESULT(PATIENT(PID) ORDER_OBSERVATION(OBR OBSERVATION(OBX)) ORDER_OBSERVATION(OBR OBSERVATION(OBX))) PATIENT_RESULT(PATIENT(PID) ORDER_OBSERVATION(OBR OBSERVATION(OBX))))",
        ),
        (
            "ADT_A01",
            "MSH EVN PID NK1 PV1 IN1 IN2 IN1 DG1 ZPV PR1 AL1",
            "ADT_A01(MSH EVN PID NK1 PV1 INSURANCE(IN1 IN2) INSURANCE(IN1) DG1 ZPV PROCEDURE(PR1) AL1)",
        ),
        (
            "ADT_A40",
            "MSH EVN PID MRG PID PD1 MRG PV1",
            "ADT_A39(MSH EVN PATIENT(PID MRG) PATIENT(PID PD1 MRG PV1))",
        ),
        (
            "RDE_O11",
            "MSH PID PV1 AL1 ORC RXE NTE TQ1 RXR RXC OBX ORC RXO RXR RXE RXR",
            "RDE_O11(MSH PATIENT(PID PATIENT_VISIT(PV1) AL1) ORDER(ORC RXE NTE TIMING_ENCODED(TQ1) RXR RXC OBSERVATION(OBX)) ORDER(ORC ORDER_DETAIL(RXO RXR) RXE RXR))",
        ),
        (
            "RDS_O13",
            "MSH PID ORC RXO RXR RXC RXE TQ1 RXR RXD RXR ORC RXO NTE RXR RXD RXR",
            "RDS_O13(MSH PATIENT(PID) ORDER(ORC ORDER_DETAIL(RXO ORDER_DETAIL_SUPPLEMENT(RXR COMPONENT(RXC))) ENCODING(RXE TIMING_ENCODED(TQ1) RXR) RXD RXR) ORDER(ORC ORDER_DETAIL(RXO NTE ORDER_DETAIL_SUPPLEMENT(RXR)) RXD RXR))",
        ),
        ("RDE_O11", "MSH PID RXE RXR RXE RXR", "RDE_O11(MSH PATIENT(PID) ORDER(RXE RXR) ORDER(RXE RXR))"),
        (
            "VXU_V04",
            "MSH PID RXA RXR OBX RXA OBX",
            "VXU_V04(MSH PID ORDER(RXA RXR OBSERVATION(OBX)) ORDER(RXA OBSERVATION(OBX)))",
        ),
        (
            "ORM_O01",
            "MSH PID PV1 ORC OBR NTE DG1 OBX ORC OBR",
            "ORM_O01(MSH PATIENT(PID PATIENT_VISIT(PV1)) ORDER(ORC ORDER_DETAIL(OBR NTE DG1 OBSERVATION(OBX))) ORDER(ORC ORDER_DETAIL(OBR)))",
        ),
        (
            "DFT_P03",
            "MSH EVN PID PV1 FT1 PR1 FT1 DG1 IN1",
            "DFT_P03(MSH EVN PID PV1 FINANCIAL(FT1 FINANCIAL_PROCEDURE(PR1)) FINANCIAL(FT1) DG1 INSURANCE(IN1))",
        ),
        (
            "SIU_S12",
            "MSH SCH PID PV1 RGS AIS NTE AIG AIL AIP",
            "SIU_S12(MSH SCH PATIENT(PID PV1) RESOURCES(RGS SERVICE(AIS NTE) GENERAL_RESOURCE(AIG) LOCATION_RESOURCE(AIL) PERSONNEL_RESOURCE(AIP)))",
        ),
        (
            "MDM_T02",
            "MSH EVN PID PV1 TXA OBX NTE OBX",
            "MDM_T02(MSH EVN PID PV1 TXA OBXNTE(OBX NTE) OBXNTE(OBX))",
        ),
    ];
    for (structure, segments, expected) in cases {
        assert_eq!(arranged(structure, segments), expected);
    }
}

#[test]
fn dictionary_knows_fields_types_and_structures() {
    let repeating = |segment: &str| -> Vec<usize> {
        let fields = dictionary::segment(segment).expect("known segment");
        (1..=fields.len()).filter(|n| fields[n - 1].repeats).collect()
    };
    assert_eq!(
        repeating("PID"),
        [3, 4, 5, 6, 9, 10, 11, 13, 14, 16, 21, 22, 26, 32, 39, 40]
            .into_iter()
            .filter(|n| *n != 16)
            .collect::<Vec<_>>()
    );
    assert_eq!(repeating("PV1"), [7, 8, 9, 15, 17, 20, 24, 25, 26, 27, 45, 52]);
    let obx = dictionary::segment("OBX").expect("OBX");
    assert_eq!((obx[4].datatype, obx[4].repeats, obx[2].datatype), ("varies", true, "CE"));
    assert!(obx.len() >= 33);
    assert_eq!(dictionary::segment("PID").expect("PID")[2].datatype, "CX");
    assert_eq!(dictionary::segment("PID").expect("PID")[7].table, Some(1));
    assert!(dictionary::segment("MSH").expect("MSH").len() >= 25);
    assert!(dictionary::segment("ZPD").is_none());
    let cx = dictionary::datatype("CX").expect("CX");
    assert_eq!((cx[3].datatype, cx[4].datatype), ("HD", "ID"));
    assert!(dictionary::datatype("ST").is_some_and(<[_]>::is_empty));
    assert!(dictionary::datatype("nonsense").is_none());
    for (code, event, structure) in [
        ("ADT", "A04", "ADT_A01"),
        ("ADT", "A08", "ADT_A01"),
        ("ADT", "A40", "ADT_A39"),
        ("ADT", "A31", "ADT_A05"),
        ("ADT", "A11", "ADT_A09"),
        ("ORU", "R01", "ORU_R01"),
        ("SIU", "S15", "SIU_S12"),
        ("MDM", "T08", "MDM_T02"),
        ("RDE", "O01", "RDE_O11"),
        ("VXU", "V04", "VXU_V04"),
        ("ACK", "A01", "ACK"),
    ] {
        assert_eq!(dictionary::structure_of(code, event), Some(structure));
        assert!(dictionary::structure(structure).is_some(), "{structure}");
    }
    assert_eq!(dictionary::structure("ADT_A08").map(|g| g.name), Some("ADT_A01"));
}

/// Every word of the tables was understood: each data type that is used is known, each name is a word.
#[test]
fn dictionary_is_whole() {
    for name in [
        "ADT_A01", "ADT_A02", "ADT_A03", "ADT_A05", "ADT_A06", "ADT_A09", "ADT_A39", "ORU_R01", "RDE_O11",
        "RDS_O13", "DFT_P03", "ORM_O01", "VXU_V04", "MDM_T02", "SIU_S12",
    ] {
        check_group(dictionary::structure(name).expect(name));
    }
}

fn check_group(group: &dictionary::Group) {
    assert!(!group.members.is_empty());
    for member in group.members {
        match member {
            dictionary::Member::Group(group) => check_group(group),
            dictionary::Member::Segment { name, .. } => {
                let fields = dictionary::segment(name).unwrap_or_else(|| panic!("{name} has fields"));
                for field in fields {
                    assert!(dictionary::datatype(field.datatype).is_some(), "{name} {}", field.datatype);
                    assert!(!field.name.is_empty());
                }
            }
        }
    }
}
