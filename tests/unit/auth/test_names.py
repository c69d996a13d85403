"""Names: shown as they were written, without what nobody sees; compared by what they look like."""

# ruff: noqa: RUF001
from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sanic_chatrooms.auth.names import _shown, clean_name, shown_name
from sanic_chatrooms.auth.skeleton import ReservedNames, skeleton
from sanic_chatrooms.errors import ChatError, InvalidField, InvalidText

ZWNJ, ZWJ, TEXT, PICTURE = "\u200c", "\u200d", "\ufe0e", "\ufe0f"

# ---- what stays as it is ----

# fmt: off
KEPT = {
    "Latin": [
        "Ada",
        "Zoë",
        "Łukasz",
        "Đorđe",
        "Ångström",
        "O'Brien",
        "Jean-Luc",
        "D'Alembert, 3rd",
        "Ada (work)",
        "x",
        "7",
        "$",
        "¿Qué?",
        "a_b.c",
        "C++",
        "ß",
        "ÆØÅ",
        "ﬀ",
        "Ⅻ",
        "½",
    ],
    "Vietnamese": ["Nguyễn Thị Ánh", "Đặng Hữu Phước"],
    "other alphabets": ["Ελένη", "Татьяна", "Ірина Їжак", "Հայկ", "გიორგი", "ᏣᎳᎩ", "ሰላም", "ⵣⵉⵔⵉ"],
    "Hebrew with points": ["שָׁלוֹם", "יוֹסֵף"],
    "Arabic with marks": ["مُحَمَّد", "فاطمة الزهراء", "ٱللَّٰه"],
    "Persian with a non-joiner": [f"می{ZWNJ}خواهم", f"علی{ZWNJ}اکبر", f"کتاب{ZWNJ}ها", f"نیک{ZWNJ}پی"],
    "Syriac": ["ܫܠܡܐ", f"ܫ{ZWNJ}ܠ"],
    "India": [
        "नमस्ते",
        "श्री",
        f"क्{ZWJ}ष",
        f"क्{ZWNJ}ष",
        "தமிழ்",
        "తెలుగు",
        f"ক্{ZWNJ}ত",
        f"র{ZWJ}্যাব",
        "ಕನ್ನಡ",
        "ശ്രീ",
        f"ന്{ZWJ}",
        f"അവന്{ZWJ}റെ",
    ],
    "Sinhala": [f"ශ්{ZWJ}රී", f"ක්{ZWJ}ෂ"],
    "East Asia": [
        "山田太郎",
        "葛\U000e0100城",
        "辻\U000e0101",
        "さくら",
        "カタカナ",
        "ｶﾀｶﾅ",
        "ばびぶ",
        "김철수",
        "陳大文",
        "㈱鈴木",
        "㊙️",
    ],
    "Southeast Asia": ["สมชาย", "ກາວ", "ខ្មែរ", "မြန်မာ"],
    "Tibetan": ["བཀྲ་ཤིས", "སྒྲོལ་མ"],
    "Mongolian": ["ᠮᠣᠩᠭᠣᠯ", "ᠠ᠋"],
    "full width": ["ＡＤＭＩＮ", "１２３"],
    "signs": [
        "™",
        "Acme™",
        "Acme®",
        "©",
        "№ 5",
        "℃",
        "ª",
        "²",
        "…",
        "ﬁ",
        "①②③",
        "𝓐𝓭𝓪",
        "𝕬𝖉𝖆",
        "Ⓐⓓⓐ",
        "🅰🅳🅰",
        "ʇxǝʇ",
        "ꜱᴍᴀʟʟ",
    ],
    "emoji": [
        "😀",
        "👍🏽",
        "🇩🇪",
        "🇺🇳🇪🇺",
        f"❤{PICTURE}",
        f"❤{TEXT}",
        f"1{PICTURE}⃣",
        f"#{PICTURE}⃣",
        f"☺{PICTURE}",
        f"‼{PICTURE}",
        f"↔{PICTURE}",
        f"™{PICTURE}",
        "🫠",
        "🪿",
    ],
    "joined emoji": [
        f"👩{ZWJ}🚀",
        f"👩🏽{ZWJ}🚀",
        f"👨{ZWJ}👩{ZWJ}👧{ZWJ}👦",
        f"❤{PICTURE}{ZWJ}🔥",
        f"🏳{PICTURE}{ZWJ}🌈",
        f"🏴{ZWJ}☠{PICTURE}",
        f"🧔🏿{ZWJ}♂{PICTURE}",
        f"👩{ZWJ}❤{PICTURE}{ZWJ}💋{ZWJ}👨",
        f"🐈{ZWJ}⬛",
        f"🙂{ZWJ}↔{PICTURE}",
        f"🧑🏻{ZWJ}🤝{ZWJ}🧑🏿",
        f"👨{ZWJ}⚕{PICTURE} Dr. No",
        f"🏃{ZWJ}➡{PICTURE}",
    ],
    "flags of parts of countries": [
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f Ian",
    ],
    "a pile of four marks": ["a\u0323\u0331\u0346\u034a"],
    "words that programs have stumbled over": [
        "null",
        "None",
        "undefined",
        "NaN",
        "true",
        "0",
        "-1",
        "__proto__",
        "constructor",
        "<b>Ada</b>",
        "'; --",
        "${x}",
        "{{x}}",
        "%s%n",
        "../..",
        "\\",
        "a/b",
        "#",
        "?",
        "con",
        "=1+1",
    ],
}
# fmt: on


@pytest.mark.parametrize("name", [name for names in KEPT.values() for name in names])
def test_a_name_is_shown_as_it_was_written(name: str) -> None:
    assert clean_name(name) == unicodedata.normalize("NFC", name)


# ---- what is mended ----

# fmt: off
MENDED = {
    "  Ada \t Lovelace\n": "Ada Lovelace",
    "a\u2028b\u00a0c\u3000d\u2003e\u202ff": "a b c d e f",
    "a\0b\x07c\x7fd\x85e": "abcd e",
    "a\x1b[31mred": "a[31mred",
    "e\u0301": "é",
    "\u1112\u1161\u11ab": "한",
    "ad\u00admin": "admin",
    # nobody sees them
    "ad\u200bmin": "admin",
    "ad\u2060min": "admin",
    "\ufeffAda": "Ada",
    "A\u034fda": "Ada",
    "\u3164Ada\u115f\u1160": "Ada",
    "Ada\uffa0": "Ada",
    "Ada\u2800": "Ada",
    "A\u2062d\u2063a": "Ada",
    "A\ufff9d\ufffaa\ufffb": "Ada",
    "Ada\U0001d159": "Ada",
    "Ada\U0001d173\U0001d174": "Ada",
    # they turn what others read
    "\u202eevil\u202c": "evil",
    "\u2066a\u2069\u200e\u200f": "a",
    "abc\u202dfed": "abcfed",
    "\u061cAda": "Ada",
    "שלום\u200f": "שלום",
    # joiners that join nothing
    f"a{ZWNJ}b": "ab",
    f"a{ZWJ}b": "ab",
    f"e{ZWJ}\u0301": "é",
    f"{ZWJ}Ada{ZWJ}": "Ada",
    f"{ZWNJ}می": "می",
    f"می{ZWNJ}": "می",
    f"می{ZWNJ}{ZWNJ}خواهم": "میخواهم",
    f"می{ZWNJ} خواهم": "می خواهم",
    f"я{ZWNJ}я": "яя",
    f"山{ZWJ}田": "山田",
    f"👩{ZWJ}": "👩",
    f"{ZWJ}🚀": "🚀",
    f"👩{ZWJ}{ZWJ}🚀": "👩🚀",
    f"👩{ZWNJ}🚀": "👩🚀",
    f"👩{ZWJ}a": "👩a",
    f"a{ZWJ}🚀": "a🚀",
    f"👩{ZWJ} 🚀": "👩 🚀",
    # variants of what has none
    f"Ada{PICTURE}": "Ada",
    f"Ada{TEXT}": "Ada",
    "Ada\ufe00": "Ada",
    "Ada\U000e0100": "Ada",
    f"1{PICTURE}": "1",
    "a\u180b": "a",
    # tags without a flag
    "Ada\U000e0041": "Ada",
    "🏴\U000e0067": "🏴",
    "🏴\U000e007f": "🏴",
    "😀\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f": "😀",
    "🏴" + "\U000e0061" * 20 + "\U000e007f": "🏴",
    # marks on nothing, and too many of them
    "\u0301Ada": "Ada",
    "Ada \u0301 B": "Ada B",
    "\u20ddAda": "Ada",
    "q" + "\u0323\u0331\u0346\u034a" + "\u0306" * 20 + "a": "q\u0323\u0331\u0346\u034aa",
}
# fmt: on


@pytest.mark.parametrize("given_name", MENDED)
def test_what_nobody_sees_goes(given_name: str) -> None:
    assert clean_name(given_name) == MENDED[given_name]


# ---- what is refused ----


@pytest.mark.parametrize(
    "nothing",
    [
        "",
        " ",
        "\n",
        "\0",
        "\u200b",
        "\u202e\u202c",
        "\u3164",
        "\uffa0",
        "\u2800",
        "\u0301",
        "\u034f\ufe0f",
        ZWJ,
        ZWNJ * 9,
        PICTURE,
        "\U000e0041",
        "\ue000",
        "\ufdd0",
        "\u061c",
        "\U000e0100",
        " \u00a0\u2003 ",
        "\u17b4",
    ],
)
def test_a_name_without_anything_to_see_is_refused(nothing: str) -> None:
    with pytest.raises(InvalidField, match="empty") as caught:
        clean_name(nothing)

    assert caught.value.fields == {"field": "name"}


@pytest.mark.parametrize(
    "long", ["x" * 65, "ﷺ" * 4, "x" * 10_000_000, "\u0301\u0323" * 1_000_000, f"👩{ZWJ}" * 40]
)
def test_a_long_name_is_refused_at_once(long: str) -> None:
    """Also where it is drawn long, and where normalising would take minutes."""
    with pytest.raises(InvalidField, match="64"):
        clean_name(long)


def test_a_name_of_64_characters_is_not_long() -> None:
    assert clean_name("x" * 64) == "x" * 64
    assert clean_name(" " * 100 + "x" * 64 + " " * 92) == "x" * 64


@pytest.mark.parametrize("surrogate", ["\ud800", "a\udfffb", "\udc00\ud800"])
def test_a_name_with_a_lone_surrogate_is_refused(surrogate: str) -> None:
    with pytest.raises(InvalidText):
        clean_name(surrogate)


AWKWARD = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from(
            f"{ZWNJ}{ZWJ}{TEXT}{PICTURE}👩🚀🏽🏴❤می्कর্ab \u0301\u0323\U000e0067\U000e007f\U000e0100山\u180bᠠ\u20e31\u3164"
        ),
    ),
    max_size=80,
)


@settings(deadline=None)
@given(AWKWARD)
def test_whatever_comes_out_can_be_shown_and_stays(name: str) -> None:
    try:
        clean = clean_name(name)
    except ChatError:
        return

    assert 1 <= len(clean) <= 64
    assert clean == clean_name(clean) == unicodedata.normalize("NFC", clean)
    assert not {unicodedata.category(c) for c in clean if c not in (ZWJ, ZWNJ) and c < "\U000e0000"} & {
        "Cc",
        "Cf",
        "Cs",
        "Zl",
        "Zp",
    }
    assert clean == clean.strip()
    assert "  " not in clean
    assert clean.encode()


# ---- names that somebody else vouches for ----


@pytest.mark.parametrize(
    ("name", "user_id", "shown"),
    [
        ("Ada", "u1", "Ada"),
        (None, "u1", "u1"),
        (7, "u1", "u1"),
        ("", "u1", "u1"),
        ("\ud800", "u1", "u1"),
        ("x" * 10_000, "u1", "x" * 64),
        ("x" * 63 + f"👩{ZWJ}🚀", "u1", "x" * 63 + "👩"),
        ("\u202eevil", "u1", "evil"),
        (None, "\u202eresu\u200b", "resu"),
        (None, "a" * 128, "a" * 64),
        (None, "https://id.example/users/7", "https://id.example/users/7"),
    ],
)
def test_a_name_that_cannot_be_shown_is_no_reason_to_refuse(name: object, user_id: str, shown: str) -> None:
    assert shown_name(name, user_id) == shown


def test_who_has_nothing_that_can_be_shown_has_a_name_of_their_own() -> None:
    one, other = shown_name(None, "\u200b"), shown_name("\u202e", "\u200c")

    assert one.startswith("User ")
    assert one != other
    assert one == shown_name(None, "\u200b") == clean_name(one)


# ---- what looks alike ----

# fmt: off
ALIKE = {
    "Server": [
        "server", "SERVER", "sErVeR", " Server ", "S e r v e r", "S.e.r.v.e.r", "Ser-ver", "_server_", "[Server]", "«Server»", "Server!", "Server:", "🤖 Server",
        "Server ✅", "★ Server ★", "Sérver", "Šerver", "Ŝĕřṽęŗ", "S\u0332e\u0332r\u0332v\u0332e\u0332r\u0332", "Ｓｅｒｖｅｒ", "𝐒𝐞𝐫𝐯𝐞𝐫", "𝓢𝓮𝓻𝓿𝓮𝓻", "𝔖𝔢𝔯𝔳𝔢𝔯", "𝕊𝕖𝕣𝕧𝕖𝕣", "𝚂𝚎𝚛𝚟𝚎𝚛",
        "Ⓢⓔⓡⓥⓔⓡ", "🅂🄴🅁🅅🄴🅁", "🆂🅴🆁🆅🅴🆁", "🅢🅔🅡🅥🅔🅡", "🇸 🇪 🇷 🇻 🇪 🇷", "⒮⒠⒭⒱⒠⒭", "ꜱᴇʀᴠᴇʀ", "ˢᵉʳᵛᵉʳ", "Ѕerver", "Sеrvеr", "Ѕеrvеr", "Sегvег", "Sεrvεr", "SΕRVΕR", "Ꮪerver", "Տerver", "Seɾveɾ", "Serνer",
        "5erver", "S3rv3r", "$erver", "S€rver", "$ Server $", "Ser\u200bver", "Ser\u00adver", "\u202eServer", "Ser\u3164ver", "Serve®r", "Ser∙ver", "ſerver",
    ],
    "Admin": [
        "admin", "ADMIN", "Αdmin", "Аdmin", "аdmin", "Admіn", "Adm1n", "Admln", "AdmIn", "Adm|n", "Adm!n", "@dmin", "4dmin", "Admın", "ADMİN", "Admïn", "Adｍin", "Adrnin", "𝖠𝖽𝗆𝗂𝗇", "ＡＤＭＩＮ",
        "Ádmin", "ΑDΜΙΝ", "АDМІN", "Ádmiñ", "A d m i n", "a.d.m.i.n", "ɑdmin", "Aԁmin", "Admiո", "Ad\u2060min", "🅰🅳🅼🅸🅽", "ᴀᴅᴍɪɴ", "(admin)", "ⓐⓓⓜⓘⓝ",
    ],
    "Moderator": ["moderator", "M0derator", "Mоdеrаtоr", "mod erator", "rnoderator", "ｍｏｄｅｒａｔｏｒ", "MODΕRΑTΟR", "M0d3r4t0r", "𝒎𝒐𝒅𝒆𝒓𝒂𝒕𝒐𝒓"],
    "Поддержка": ["поддержка", "ПОДДЕРЖКА", "Поддержка!", "Поддepжка", "П о д д е р ж к а"],
    "サーバー": ["サーバー", "ｻｰﾊﾞｰ", "【サーバー】"],
    "管理员": ["管理员", " 管理员 ", "管-理-员", "管\U000e0100理员"],
    "Ἑλένη": ["ελένη", "ΕΛΕΝΗ"],
    "مدير": ["مدير", "مُدِير", f"م{ZWNJ}دير"],
}
# fmt: on


@pytest.mark.parametrize(
    ("reserved", "name"), [(one, name) for one, names in ALIKE.items() for name in names]
)
def test_what_looks_like_a_reserved_name_is_one(reserved: str, name: str) -> None:
    assert clean_name(name) in ReservedNames([reserved])


ALL = ["Server", "Admin", "Moderator", "Support", "System", "Administrator", "管理员", "Поддержка"]


@pytest.mark.parametrize(
    "name",
    [
        "Ada",
        "Adam",
        "Admiral",
        "Serena",
        "Severin",
        "Serverus",
        "My server",
        "Sysadmin",
        "Systema",
        "Supporter",
        "Modest",
        "Guest 4821",
        "🤖",
        "!!!",
        "管",
        "理员",
        "Под",
        "Sam",
        "Ed",
        "李",
        "Иван",
        "محمد",
        "x",
        "0",
        "Servo",
        "Admin of nothing",
        "Mod",
    ],
)
def test_other_names_are_free(name: str) -> None:
    assert name not in ReservedNames(ALL)


def test_a_reserved_name_of_signs_reserves_nothing() -> None:
    assert "🤖" not in ReservedNames(["!!!", ""])
    assert "" not in ReservedNames(["!!!", ""])


@settings(deadline=None)
@given(st.text(max_size=40))
def test_a_skeleton_is_its_own_skeleton_in_any_case(name: str) -> None:
    once = skeleton(name)

    assert skeleton(once) == once
    assert skeleton(f" ~{name}~ ") == once


@settings(deadline=None)
@given(st.text(st.characters(max_codepoint=127), max_size=300))
def test_a_name_in_ascii_is_shown_as_others_are(name: str) -> None:
    assert shown_name(name, "u1") == _shown.__wrapped__(name, "u1")
