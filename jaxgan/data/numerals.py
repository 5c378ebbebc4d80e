"""Numbers and abbreviations of English text, spelled out as they are read aloud."""

import re

_words = str.split
_ONES = _words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
)
_TENS = _words("_ _ twenty thirty forty fifty sixty seventy eighty ninety")
_THOUSANDS = ("", "thousand", "million", "billion", "trillion")
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
# Longer whole numbers are read digit by digit.
_MOST = 10 ** (3 * len(_THOUSANDS))

# (whole, part) of each currency, one and several.
_CURRENCIES = {
    "$": (("dollar", "dollars"), ("cent", "cents")),
    "£": (("pound", "pounds"), ("penny", "pence")),
    "€": (("euro", "euros"), ("cent", "cents")),
}
_SIGNS = {"&": "and", "%": "percent", "+": "plus", "=": "equals", "@": "at", "°": "degrees"}

# Those of Keith Ito's text cleaners for LJSpeech, and some more. St. is told apart below.
ABBREVIATIONS = {
    "mr": "mister",
    "mrs": "missis",
    "ms": "miz",
    "dr": "doctor",
    "co": "company",
    "jr": "junior",
    "sr": "senior",
    "maj": "major",
    "gen": "general",
    "drs": "doctors",
    "rev": "reverend",
    "lt": "lieutenant",
    "hon": "honorable",
    "sgt": "sergeant",
    "capt": "captain",
    "esq": "esquire",
    "ltd": "limited",
    "col": "colonel",
    "ft": "fort",
    "prof": "professor",
    "gov": "governor",
    "mt": "mount",
    "messrs": "messieurs",
    "inc": "incorporated",
    "vs": "versus",
    "etc": "et cetera",
    "ave": "avenue",
    "no": "number",
}
_DOTTED = {"e.g.": "for example", "i.e.": "that is", "a.m.": "a m", "p.m.": "p m"}


def cardinal(number: int) -> str:
    """A whole number in words: 1203 is 'one thousand two hundred three'."""
    if number < 0:
        return f"minus {cardinal(-number)}"
    if number < 20:
        return _ONES[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return _TENS[tens] + (f" {_ONES[ones]}" if ones else "")
    if number < 1000:
        hundreds, rest = divmod(number, 100)
        return f"{_ONES[hundreds]} hundred" + (f" {cardinal(rest)}" if rest else "")
    if number >= _MOST:
        return digits(str(number))
    parts = []
    for power in range(len(_THOUSANDS) - 1, -1, -1):
        count, number = divmod(number, 1000**power)
        if count:
            parts.append(f"{cardinal(count)} {_THOUSANDS[power]}".strip())
    return " ".join(parts)


def ordinal(number: int) -> str:
    """A place in words: 21 is 'twenty first'."""
    *before, last = cardinal(number).split()
    if last in _ORDINALS:
        last = _ORDINALS[last]
    else:
        last = f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th"
    return " ".join([*before, last])


def year(number: int) -> str:
    """A year in words, 1100 to 2099: 1984 is 'nineteen eighty four', 1905 'nineteen oh five'."""
    century, rest = divmod(number, 100)
    if 2000 <= number < 2010:
        return cardinal(number)
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {'oh ' if rest < 10 else ''}{cardinal(rest)}"


def digits(text: str) -> str:
    """Each digit of a text in words."""
    return " ".join(_ONES[int(digit)] for digit in text)


def spelled_out(text: str) -> str:
    """A text whose numbers, signs and abbreviations are words.

    Whole numbers, with commas or without; decimals; ordinals (3rd); years: four digits from 1100 to
    2099 without a comma, which 1960s may follow; amounts of $, £ and €; times of day (3:30). A
    full stop behind an abbreviation goes, so that no pause is read into it. 'St.' is 'street'
    behind a name and in front of none, else 'saint'.

    Args:
      text: of any characters.

    Returns:
      The text, without a digit.
    """
    for dotted, words in _DOTTED.items():
        text = re.sub(rf"(?<!\w){re.escape(dotted)}", f" {words} ", text, flags=re.IGNORECASE)
    text = _saint_or_street(text)
    # 'No' and 'Gen' are words, too: only with their full stop, and 'no.' before a number only.
    text = re.sub(r"\bno\.\s*(?=\d)", "number ", text, flags=re.IGNORECASE)
    short = "|".join(sorted(set(ABBREVIATIONS) - {"no"}, key=len, reverse=True))
    text = re.sub(
        rf"\b({short})\.",
        lambda found: ABBREVIATIONS[found[1].lower()],
        text,
        flags=re.IGNORECASE,
    )
    text = re.sub(r"\b(Mr|Mrs|Ms|Dr)\b", lambda found: ABBREVIATIONS[found[1].lower()], text)
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", _marked_commas(text))
    text = re.sub(
        r"([$£€])(\d+(?:\.\d+)?)\s+(thousand|million|billion|trillion)\b",
        lambda found: f"{found[2]} {found[3]} {_CURRENCIES[found[1]][0][1]}",
        text,
    )
    text = re.sub(r"([$£€])(\d+)(?:\.(\d{2}))?(?!\d|\.\d)", _amount, text)
    text = re.sub(
        r"([$£€])(\d+\.\d+)",
        lambda found: f" {found[2]} {_CURRENCIES[found[1]][0][1]} ",
        text,
    )
    text = re.sub(r"(?<![\d.:])(\d{1,2}):(\d{2})(?![\d:])", _time, text)
    text = re.sub(
        r"(\d+)(?:st|nd|rd|th)\b", lambda f: f" {ordinal(int(f[1]))} ", text, flags=re.IGNORECASE
    )
    text = re.sub(r"(\d+)\.(\d+)", lambda f: f" {cardinal(int(f[1]))} point {digits(f[2])} ", text)
    text = re.sub(r"(?<!\d)(1[1-9]\d\d|20\d\d)('?s)\b", lambda f: f" {_decade(int(f[1]))} ", text)
    text = re.sub(r"(?<![\d\x00])(1[1-9]\d\d|20\d\d)(?!\d)", lambda f: f" {year(int(f[1]))} ", text)
    text = re.sub(r"(?<!\w)-(?=\d)", " minus ", text)
    text = re.sub(r"\x00?(\d+)", lambda f: f" {_whole(f[1])} ", text).replace("\x00", "")
    for sign, word in _SIGNS.items():
        text = text.replace(sign, f" {word} ")
    return re.sub(r"\s+([,.;:!?])", r"\1", " ".join(text.split()))


def _marked_commas(text: str) -> str:
    """A zero byte before each number with commas, which is then no year: 1,984."""
    return re.sub(r"(?<![\d,.$£€])(?=\d{1,3}(,\d{3})+(?!\d))", "\x00", text)


def _whole(number: str) -> str:
    # A leading zero says that the digits are no quantity.
    if len(number) > 1 and number[0] == "0":
        return digits(number)
    return cardinal(int(number))


def _amount(found: re.Match[str]) -> str:
    whole, part = _CURRENCIES[found[1]]
    units, parts = int(found[2]), int(found[3] or 0)
    said = []
    if units or not parts:
        said.append(f"{cardinal(units)} {whole[units != 1]}")
    if parts:
        said.append(f"{cardinal(parts)} {part[parts != 1]}")
    return f" {' and '.join(said)} "


def _time(found: re.Match[str]) -> str:
    hours, minutes = int(found[1]), int(found[2])
    if minutes == 0:
        return f" {cardinal(hours)} o'clock "
    return f" {cardinal(hours)} {'oh ' if minutes < 10 else ''}{cardinal(minutes)} "


def _decade(number: int) -> str:
    said = year(number)
    return f"{said[:-1]}ies" if said.endswith("y") else f"{said}s"


def _saint_or_street(text: str) -> str:
    def chosen(found: re.Match[str]) -> str:
        behind_name = re.search(r"\b[A-Z0-9][\w']*\s+$", text[: found.start()])
        before_name = re.match(r"\s+[A-Z]", text[found.end() :])
        if behind_name and not before_name:
            # It may end the sentence, too.
            return "Street." if not text[found.end() :].strip() else "Street"
        return "Saint"

    return re.sub(r"\bSt\.", chosen, text)
