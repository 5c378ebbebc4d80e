"""How an English word that is in no dictionary is likely to be said: rules from letters to sounds.

The manner is that of Elovitz et al. 1976 ("Automatic translation of English text to phonetics by
means of letter-to-sound rules"): the first rule that fits at a place is applied, and reading goes
on behind its letters. The rules are jaxgan's own.
"""

import re

# A rule a line: what must stand before, the letters, what must follow (regular expressions of one
# word in small letters), and the sounds of the letters. V and C stand for a vowel and a consonant.
_RULES = """
|augh||AO
|aigh||EY
|air||EH R
|ai||EY
|ay||EY
|au||AO
|aw||AO
|alk||AO K
|all||AO L
|al|m$|AA
^|are|$|AA R
C|are|$|EH R
|ar|[^aeiouy]|AA R
|ar|$|AA R
V.*C|able|$|AH B AH L
V.*C|age|$|IH JH
V.*C|al|$|AH L
V.*C|ally|$|AH L IY
V.*C|an|$|AH N
V.*C|ance|$|AH N S
V.*C|ant|$|AH N T
V.*C|ard|$|ER D
|ation||EY SH AH N
|a|[^aeiouywx](e|ed|es|ing|er|ers)$|EY
|a|ste$|EY
|a|nge|EY
|a|[^aeiouywx][aeiou][^aeiou]*[aeiou]|AE
|a|C[eiy]|EY
w|a|[^gkx]|AA
|a|$|AH
|aa||AA
^|a|[^aeiou]+[aeiou]+[^aeiou]*[aeiou]|AH
|a||AE

m|b|$|
|bb||B
|b||B

s|ch||K
|ch|[lr]|K
|ch||CH
|ck||K
|cc|[eiy]|K S
|cc||K
|cia|[nl]|SH AH
|ciou|s|SH AH
|c|[eiy]|S
|c||K

|dge||JH
|dg||JH
|dd||D
[pkfsx]|ed|$|T
(ss|ch|sh)|ed|$|T
[td]|ed|$|AH D
V.*[^aeiou]|ed|$|D
|d||D

|eigh||EY
|ear|C|ER
|eer||IH R
|ear||IH R
|ea|(d|th|sure)$|EH
|ea||IY
|ee||IY
|ei||IY
|eu||Y UW
|ew||UW
|ey|$|IY
|ey||EY
^C*|e|$|IY
^C*|er|e$|IH R
V.*C|ence|$|AH N S
V.*C|ent|$|AH N T
V.*C|en|$|AH N
V.*C|el|$|AH L
V.*C|ess|$|AH S
V.*C|est|$|AH S T
V.*C|et|$|AH T
|er|[aeiouy]|EH R
|er||ER
V.*(s|z|x|ch|sh|c|g)|es|$|IH Z
V.*[ptkf]|es|$|S
V.*C|es|$|Z
V.*C|e|$|
V.*C|e|(ly|ment|ful|less|ness)s?$|
|e|[^aeioux]e$|IY
^(r|d|b|pr)|e|C[aeiou]|IH
|e|$|
|e||EH

|ff||F
|f||F

|gue|$|G
|gu|[ei]|G
|gg||G
^|gn||N
|gn|$|N
|gh|[aeiou]|G
|gh||
|ge|$|JH
|g|[ei]|JH
|gy|$|JH IY
|g||G

|h|[aeiouy]|HH
|h||

|igh||AY
|ign|$|AY N
|ie|[^t]|IY
^C*|ie|$|AY
|ious|$|IY AH S
|ing|$|IH NG
|ind|$|AY N D
|ild|$|AY L D
|ir|[aeiou]|AY R
|ir||ER
|ique|$|IY K
V.*C|ism|$|IH Z AH M
V.*C|ine|$|IY N
V.*C|ive|$|IH V
V.*C|ice|$|AH S
V.*C|ite|$|AY T
|ia|$|IY AH
|i|[ao]|IY
^C*|i|Ce|AY
|i|[^aeiouywx](e|ed|es|ing|er|ers)$|AY
|i|$|IY
|i||IH

|j||JH

^|kn||N
|kk||K
|k||K

V.*C|le|$|AH L
V.*C|les|$|AH L Z
|ll||L
|l||L

^|mc||M AH K
|mm||M
|m||M

|ng|$|NG
|n|[kqx]|NG
|ng|[^aeiouylr]|NG
|nn||N
|n||N

|ough|t|AO
|ough||OW
|ould||UH D
|oor||AO R
|oo|[kd]$|UH
|oo||UW
|oar||AO R
|oa||OW
|oe|$|OW
|oi||OY
|oy||OY
|our||AO R
V.*C|ous|$|AH S
|ou||AW
|ow|$|OW
|ow|n$|OW
|ow||AW
|old||OW L D
|oll|$|OW L
|ost|$|OW S T
V.*C|or|$|ER
V.*C|ors|$|ER Z
w|or||ER
|or||AO R
V.*C|on|$|AH N
V.*C|ons|$|AH N Z
V.*C|om|$|AH M
|o|[^aeiouywx](e|ed|es|ing|er|ers)$|OW
|o|$|OW
|o|[^aeiouyw]i[oae]|OW
|o|[aei]|OW
|o||AA

|phth||F TH
|ph||F
^|ps||S
^|pn||N
|pp||P
|p||P

|que|$|K
|qu||K W
|q||K

^|rh||R
|rr||R
|r||R

|sch||SH
|sh||SH
|ss||S
|ssion||SH AH N
|sc|[eiy]|S
V|sion||ZH AH N
|sion||SH AH N
V|sure|$|ZH ER
[aeiou]|s|[aeiou]|Z
[aeiouybdglmnrvw]|s|$|Z
|s||S

|tch||CH
|tion||SH AH N
|tia|[nl]|SH AH
|tiou|s|SH AH
V.*|ture|$|CH ER
V.*|tures|$|CH ER Z
|th||TH
|tt||T
|t||T

^|un|C|AH N
|ur|e$|Y UH R
|ur||ER
|uy||AY
|ue|$|UW
|ui|C$|UW
|u|[^aeiouywx](e|ed|es|ing|er|ers)$|UW
V.*C|us|$|AH S
V.*C|um|$|AH M
^C*|u|C[aeiou]|UW
|u|$|UW
|u|[aei]|UW
|u||AH

|v||V

^|wr||R
|wh|o|HH
|wh||W
[aeo]|w|$|
|w||W

^|x||Z
|x||K S

^|y|[aeiou]|Y
^C+|y|$|AY
|y|C*e$|AY
|y|$|IY
|yr||ER
[aeiou]|y|[aeiou]|Y
|y||IH

|zz||Z
|z||Z
"""

_VOWEL = re.compile(r"[AEIOU]")


def _compiled() -> dict[str, list[tuple[re.Pattern[str], str, re.Pattern[str], tuple[str, ...]]]]:
    by_letter: dict[str, list] = {}
    for line in filter(None, _RULES.splitlines()):
        before, letters, after, sounds = line.split("|") if line.count("|") == 3 else _split(line)
        before, after = (
            part.replace("V", "[aeiouy]").replace("C", "[^aeiouy]") for part in (before, after)
        )
        rule = (re.compile(f"(?:{before})$"), letters, re.compile(after), tuple(sounds.split()))
        by_letter.setdefault(letters[0], []).append(rule)
    return by_letter


def _split(line: str) -> list[str]:
    """Cuts a rule whose expressions hold bars of their own: those stand between parentheses."""
    return re.split(r"\|(?![^()]*\))", line)


_BY_LETTER = _compiled()


def sounds_of(word: str) -> tuple[str, ...]:
    """The likely sounds of a word, in ARPAbet; the first vowel bears the stress.

    Args:
      word: of the letters a to z, small.

    Returns:
      Sounds, vowels with a marker of stress. None where every letter is silent (`h`).

    Raises:
      ValueError: for other characters.
    """
    if not re.fullmatch("[a-z]+", word):
        raise ValueError(f"{word!r} is not made of the letters a to z")
    found: list[str] = []
    place = 0
    while place < len(word):
        for before, letters, after, sounds in _BY_LETTER[word[place]]:
            rest = word[place + len(letters) :]
            if (
                word.startswith(letters, place)
                and after.match(rest)
                and before.search(word[:place])
            ):
                found += sounds
                place += len(letters)
                break
    stress = iter("1")
    return tuple(f"{sound}{next(stress, '0')}" if _VOWEL.match(sound) else sound for sound in found)
