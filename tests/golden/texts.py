"""What the fixtures read: a corpus to make vocabularies from, and the texts and pairs of the cases."""

CORPUS = [
    "The quick brown fox jumps over the lazy dog, and the dog does not even look up.",
    "An embedding model maps a sentence to a vector; a reranking model scores a pair of texts.",
    "How do I reset my password? Open the account page and follow the link that we send you by mail.",
    "The lighthouse keeper climbed the spiral stairs every evening and counted the ships on the horizon.",
    "What causes the tides in the ocean? The gravity of the Moon pulls on the sea twice a day.",
    "Boil the pasta in plenty of salted water, then toss it with the sauce and a little cheese.",
    "The capital of Japan is Tokyo; the capital of Germany is Berlin; the capital of France is Paris.",
    "She sells sea shells by the sea shore, and the shells that she sells are sea shells for sure.",
    "Machine learning changes how people search, read and write, but not how they drink their coffee.",
    "Hello world! Hello there, general reader: (one) [two] {three} <four> \"five\" 'six' 7/8 = 90 % of $1,234.56.",
    "Größe, Straße, über, schön: die Katze sitzt auf der Matte und der Hund läuft über die Straße.",
    "Café déjà vu, naïve façade, crème brûlée, señor, Ångström, smørrebrød, Žižek, Łódź.",
    "Le chat est à la maison sur le tapis, et le chien court après la balle dans le jardin.",
    "机器学习正在改变世界，我喜欢自然语言处理。",
    "東京タワーはとても高いです。",
    "안녕하세요 오늘 날씨가 좋네요.",
    "Съешь ещё этих мягких французских булок.",
    "I ❤ pizza 🍕🍕 and my family 👨👩👧 loves it too 👍👍🏽!",
    "HTTP, JSON, NASA and the EU wrote THE QUICK BROWN FOX in capital letters. HELLO WORLD.",
]

PARAGRAPH = (
    "The lighthouse keeper counted the ships on the horizon, read a letter from Paris, and drank coffee. "
    "What causes the tides? The Moon, says the book."
)
LONG = "Every evening the keeper climbed the stairs, counted ships, drank coffee and fed the old dog by the sea. " * 12

TEXTS = {
    "empty": "",
    "word": "hello",
    "sentence": "The quick brown fox jumps over the lazy dog.",
    "upper-case": "THE QUICK Brown FOX jumps, and NASA says HELLO.",
    "punctuation": "Wait... what?! (Yes: [no]) {a/b} \"c\" 'd' -- $1,234.56 = 78%; #9 @ x_y ~ ^ `z`",
    "chinese": "我喜欢机器学习，世界正在改变。",
    "japanese-korean": "東京タワーは高いです。 오늘 날씨가 좋네요",
    "accents": "Café crème à la façade naïve, Ångström, Straße in Łódź",
    "accents-decomposed": "Cafe\u0301 cre\u0300me a\u0300 la fac\u0327ade nai\u0308ve, A\u030angstro\u0308m",
    "emoji": "I ❤\ufe0f pizza 🍕🍕, my family 👨\u200d👩\u200d👧 loves it 👍🏽!",
    "special-tokens": "[CLS] hello [SEP] the [MASK] dog [PAD] [UNK] [sep]",
    "control-characters": "tab\there\r\nnew\u0000 null bell\u0007 zero\u200bwidth non\u00a0breaking soft\u00adhyphen "
    "\ufffd end",
    "long-word": "the " + "a" * 101 + " sea",
    "paragraph": PARAGRAPH,
    "over-the-limit": LONG,
}
SHORT = ["empty", "word", "sentence", "chinese", "special-tokens", "over-the-limit"]


def counted(characters, count):
    """Words of one letter, each of them one token, so that a case can say exactly how long it is."""
    return " ".join((characters * 4)[:count])


LETTERS = "abcdefghijklmnopqrstuvwxyz"
BACKWARDS = LETTERS[::-1]

QUESTION = "What is the capital of France?"
PAIRS = {
    "answer": (QUESTION, "The capital of France is Paris."),
    "other": (QUESTION, "Boil the pasta in plenty of salted water."),
    "swapped": ("The capital of France is Paris.", QUESTION),
    "empty-query": ("", "The capital of France is Paris."),
    "empty-document": (QUESTION, ""),
    "both-empty": ("", ""),
    "same": ("hello world", "hello world"),
    "chinese-accents": ("机器学习", "Café crème in Łódź, naïve façade 世界"),
    "special-tokens": ("[CLS] hello [SEP]", "the [SEP] dog [PAD]"),
    "control-characters": ("how\u0000 do\tI\r\nreset", "zero\u200bwidth 👨\u200d👩\u200d👧 non\u00a0breaking"),
    "long-query": (LONG, "The keeper drinks coffee."),
    "long-document": (QUESTION, LONG),
    "both-long": (LONG, PARAGRAPH + " " + LONG),
}
