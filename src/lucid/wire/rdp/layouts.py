# ruff: noqa: RUF001 - letters of all alphabets that look alike
"""Keyboard layouts by the identifiers that RDP clients send (keyboardLayout of section 2.2.1.3.2): what each key types.

Written from the layouts as keyboards are labelled and Windows documents them; the tests compare them with xkb's. A
key is a word of up to four characters: alone, with Shift, with AltGr, with both. A lower-case letter alone stands for
itself and its capital; `□` is nothing; `◌` stands before an accent that waits for the next letter (a dead key).
"""

from dataclasses import dataclass
from functools import cache

DEAD = "◌"
_NOTHING = "□"

_ROWS = (
    (0x29, *range(0x02, 0x0E)),
    tuple(range(0x10, 0x1C)),
    (*range(0x1E, 0x29), 0x2B),
    (0x56, *range(0x2C, 0x36), 0x73),
)
"""Set 1 scancodes of the rows of keys, from the digits down. 0x56 is beside the left Shift key and 0x73 beside the
right one, where a keyboard has them; 0x2B is beside Enter."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What the keys type, by scancode: four texts each, empty where there is nothing. `altgr`: whether the right Alt
    key is AltGr. `decimal`: what the numeric pad's decimal key types."""

    name: str
    keys: dict[int, tuple[str, str, str, str]]
    altgr: bool
    decimal: str


_US = r"""
`~ 1! 2@ 3# 4$ 5% 6^ 7& 8* 9( 0) -_ =+
q w e r t y u i o p [{ ]}
a s d f g h j k l ;: '" \|
\| z x c v b n m ,< .> /?
"""
_US_INTERNATIONAL = r"""
◌`◌~ 1!¡¹ 2@² 3#³ 4$¤£ 5%€ 6◌^¼ 7&½ 8*¾ 9(‘ 0)’ -_¥ =+×÷
qQäÄ wWåÅ eEéÉ rR® tTþÞ yYüÜ uUúÚ iIíÍ oOóÓ pPöÖ [{« ]}»
aAáÁ sSß§ dDðÐ f g h j k lLøØ ;:¶° ◌'◌"´¨ \|¬¦
\| zZæÆ x cC©¢ v b nNñÑ mMµ ,<çÇ .> /?¿
"""
_UK = r"""
`¬¦ 1! 2" 3£ 4$€ 5% 6^ 7& 8* 9( 0) -_ =+
q w eEéÉ r t y uUúÚ iIíÍ oOóÓ p [{ ]}
aAáÁ s d f g h j k l ;: '@ #~
\| z x c v b n m ,< .> /?
"""
_GERMAN = r"""
◌^° 1! 2"² 3§³ 4$ 5% 6& 7/{ 8([ 9)] 0=} ß?\ẞ ◌´◌`
qQ@ w eE€ r t z u i o p ü +*~
a s d f g h j k l ö ä #'
<>| y x c v b n mMµ ,; .: -_
"""
_SWISS_GERMAN = r"""
§° 1+¦ 2"@ 3*# 4ç° 5%§ 6&¬ 7/| 8(¢ 9) 0= '?◌´ ◌^◌`◌~
q w eE€ r t z u i o p üè[ ◌¨!]
a s d f g h j k l öé äà{ $£}
<>\ y x c v b n m ,; .: -_
"""
_SWISS_FRENCH = r"""
§° 1+¦ 2"@ 3*# 4ç° 5%§ 6&¬ 7/| 8(¢ 9) 0= '?◌´ ◌^◌`◌~
q w eE€ r t z u i o p èü[ ◌¨!]
a s d f g h j k l éö àä{ $£}
<>\ y x c v b n m ,; .: -_
"""
_FRENCH = r"""
²□ &1 é2◌~ "3# '4{ (5[ -6| è7◌` _8\ ç9^ à0@ )°] =+}
a z eE€ r t y u i o p ◌^◌¨ $£¤
q s d f g h j k l m ù% *µ
<> w x c v b n ,? ;. :/ !§
"""
_BELGIAN = r"""
²³ &1| é2@ "3# '4 (5 §6^ è7 !8 ç9{ à0} )° -_
a z eE€ r t y u i o p ◌^◌¨[ $*]
q s d f g h j k l m ù%◌´ µ£◌`
<>\ w x c v b n ,? ;. :/ =+◌~
"""
_SPANISH = r"""
ºª\ 1!| 2"@ 3·# 4$◌~ 5%€ 6&¬ 7/ 8( 9) 0= '? ¡¿
q w eE€ r t y u i o p ◌`◌^[ +*]
a s d f g h j k l ñ ◌´◌¨{ çÇ}
<> z x c v b n m ,; .: -_
"""
_LATIN_AMERICAN = r"""
|°¬ 1! 2" 3# 4$ 5% 6& 7/ 8( 9) 0= '?\ ¿¡
qQ@ w e r t y u i o p ◌´◌¨ +*~
a s d f g h j k l ñ {[◌^ }]◌`
<> z x c v b n m ,; .: -_
"""
_ITALIAN = r"""
\| 1! 2" 3£ 4$ 5%€ 6& 7/ 8( 9) 0= '? ì^
q w eE€ r t y u i o p èé[{ +*]}
a s d f g h j k l òç@ à°# ù§
<> z x c v b n m ,; .: -_
"""
_DUTCH = r"""
@§¬ 1!¹ 2"² 3#³ 4$¼ 5%½ 6&¾ 7_£ 8({ 9)} 0' /?\ °◌~◌¸
q w eE€ rR¶ t y u i o p ◌¨◌^ *|
a sSß d f g h j k l +± ◌´◌` <>
][¦ zZ« xX» cC¢ v b n mMµ ,; .:· -=
"""
_PORTUGUESE = r"""
\| 1! 2"@ 3#£ 4$§ 5%€ 6& 7/{ 8([ 9)] 0=} '? «»
q w eE€ r t y u i o p +*◌¨ ◌´◌`
a s d f g h j k l ç ºª ◌~◌^
<>\ z x c v b n m ,; .: -_
"""
_BRAZILIAN = r"""
'" 1!¹ 2@² 3#³ 4$£ 5%¢ 6◌¨¬ 7& 8* 9( 0) -_ =+§
qQ/ wW? eE° r t y u i o p ◌´◌` [{ª
a s d f g h j k l ç ◌~◌^ ]}º
\| z x cC₢ v b n m ,< .> ;: /?°
"""
_POLISH = r"""
`~ 1! 2@ 3# 4$ 5% 6^ 7& 8* 9( 0) -_ =+
q w eEęĘ r t y uU€ i oOóÓ p [{ ]}
aAąĄ sSśŚ d f g h j k lLłŁ ;: '" \|
\| zZżŻ xXźŹ cCćĆ v b nNńŃ m ,< .> /?
"""
_SWEDISH = r"""
§½ 1! 2"@ 3#£ 4¤$ 5%€ 6& 7/{ 8([ 9)] 0=} +?\ ◌´◌`
q w eE€ r t y u i o p å ◌¨◌^◌~
a s d f g h j k l ö ä '*
<>| z x c v b n mMµ ,; .: -_
"""
_DANISH = r"""
½§ 1! 2"@ 3#£ 4¤$ 5%€ 6& 7/{ 8([ 9)] 0=} +? ◌´◌`|
q w eE€ r t y u i o p å ◌¨◌^◌~
a s d f g h j k l æ ø '*
<>\ z x c v b n mMµ ,; .: -_
"""
_NORWEGIAN = r"""
|§ 1! 2"@ 3#£ 4¤$ 5%€ 6& 7/{ 8([ 9)] 0=} +? \◌`◌´
q w eE€ r t y u i o p å ◌¨◌^◌~
a s d f g h j k l ø æ '*
<> z x c v b n mMµ ,; .: -_
"""
_RUSSIAN = r"""
ё 1! 2" 3№ 4; 5% 6: 7? 8*₽ 9( 0) -_ =+
й ц у к е н г ш щ з х ъ
ф ы в а п р о л д ж э \/
\/ я ч с м и т ь б ю .,
"""

_LAYOUTS = (
    ("US", _US, ".", (0x0409, 0x0C09, 0x1409, 0x2409, 0x4009)),
    ("US international", _US_INTERNATIONAL, ".", (0x2_0409,)),
    ("UK", _UK, ".", (0x0809, 0x1809)),
    ("German", _GERMAN, ",", (0x0407, 0x0C07)),
    ("Swiss German", _SWISS_GERMAN, ".", (0x0807, 0x1407)),
    ("Swiss French", _SWISS_FRENCH, ".", (0x100C, 0x140C)),
    ("French", _FRENCH, ".", (0x040C,)),
    ("Belgian", _BELGIAN, ".", (0x080C, 0x0813)),
    ("Spanish", _SPANISH, ".", (0x040A, 0x0C0A)),
    ("Latin American", _LATIN_AMERICAN, ".", (0x080A,)),
    ("Italian", _ITALIAN, ".", (0x0410,)),
    ("Dutch", _DUTCH, ",", (0x0413,)),
    ("Portuguese", _PORTUGUESE, ".", (0x0816,)),
    ("Brazilian", _BRAZILIAN, ",", (0x0416, 0x1_0416)),
    ("Polish (programmers)", _POLISH, ".", (0x0415,)),
    ("Swedish", _SWEDISH, ",", (0x041D, 0x040B)),
    ("Danish", _DANISH, ",", (0x0406,)),
    ("Norwegian", _NORWEGIAN, ",", (0x0414,)),
    ("Russian", _RUSSIAN, ",", (0x0419,)),
)
_BY_CODE = {code: (name, rows, decimal) for name, rows, decimal, codes in _LAYOUTS for code in codes}
_DEFAULT = 0x0409


def nearest_code(code: int) -> int:
    """The identifier of the layout that stands for `code`: itself if it is here; that of its language, the lower half,
    for a variant that is not; that of US for any other."""
    return next((known for known in (code, code & 0xFFFF) if known in _BY_CODE), _DEFAULT)


@cache
def layout(code: int) -> Layout:
    """The layout of an identifier that `nearest_code` gives."""
    name, rows, decimal = _BY_CODE[code]
    keys = {
        scancode: _levels(word)
        for scancodes, row in zip(_ROWS, rows.strip().splitlines(), strict=True)
        for scancode, word in zip(scancodes, row.split(), strict=False)
    }
    keys[0x39] = (" ", " ", " ", " ")
    return Layout(name, keys, altgr=any(key[2] for scancode, key in keys.items() if scancode != 0x39), decimal=decimal)


def _levels(word: str) -> tuple[str, str, str, str]:
    """The four levels of a key."""
    if len(word) == 1 and word.isalpha():
        word += word.upper()
    levels: list[str] = []
    for char in word:
        if levels and levels[-1] == DEAD:
            levels[-1] += char
        else:
            levels.append("" if char == _NOTHING else char)
    alone, shift, altgr, both = (*levels, "", "", "")[:4]
    return alone, shift, altgr, both
