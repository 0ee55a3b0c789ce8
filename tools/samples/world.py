"""A small templated world in English and Indonesian.

Every fact has a kind (a job, a place, a colour ...), a person and one word. A story states three or four facts of
*different* kinds, so that the kind of a question decides which fact answers it. Every answer is one word, and no
answer word is spelled the same in both languages, so an answer in the wrong language never counts as right.
"""

import random
from dataclasses import dataclass

ENGLISH, INDONESIAN = "en", "id"

PEOPLE = "Budi Siti Agus Dewi Joko Rina Tono Wati Hasan Lina Bayu Maya".split()


@dataclass(frozen=True)
class Language:
    """How one language states and asks a kind of fact. `{n}` is the person, `{w}` the word."""

    statements: tuple[str, str]
    question: str
    words: list[str]


def _kind(english: tuple, indonesian: tuple) -> dict[str, Language]:
    def language(first, second, question, words):
        return Language((first, second), question, words.split())

    return {ENGLISH: language(*english), INDONESIAN: language(*indonesian)}


# The order of the words is the dictionary: word i of one language translates word i of the other.
KINDS: dict[str, dict[str, Language]] = {
    "job": _kind(
        ("{n} works as a {w}.", "The job of {n} is {w}.", "What is the job of {n}?",
         "teacher farmer fisherman soldier singer driver writer painter dancer judge nurse tailor"),
        ("{n} bekerja sebagai {w}.", "Pekerjaan {n} adalah {w}.", "Apa pekerjaan {n}?",
         "guru petani nelayan tentara penyanyi sopir penulis pelukis penari hakim perawat penjahit")),
    "place": _kind(
        ("{n} lives near the {w}.", "The home of {n} is near the {w}.", "Where does {n} live?",
         "beach river forest mountain lake market school bridge mosque garden station harbor"),
        ("{n} tinggal di dekat {w}.", "Tempat tinggal {n} di dekat {w}.", "Di mana {n} tinggal?",
         "pantai sungai hutan gunung danau pasar sekolah jembatan masjid taman stasiun pelabuhan")),
    "color": _kind(
        ("The house of {n} is {w}.", "{n} painted the house {w}.", "What color is the house of {n}?",
         "red white black yellow green blue brown purple gold silver gray indigo"),
        ("Rumah {n} berwarna {w}.", "{n} mengecat rumah itu {w}.", "Apa warna rumah {n}?",
         "merah putih hitam kuning hijau biru cokelat ungu emas perak kelabu nila")),
    "food": _kind(
        ("{n} eats {w} every day.", "Every day {n} eats {w}.", "What does {n} eat?",
         "rice bread fish meat eggs soup corn tofu cheese cassava porridge cake"),
        ("{n} makan {w} setiap hari.", "Setiap hari {n} makan {w}.", "Apa yang dimakan {n}?",
         "nasi roti ikan daging telur sup jagung tahu keju singkong bubur kue")),
    "animal": _kind(
        ("{n} keeps a {w} at home.", "At home {n} keeps a {w}.", "Which animal does {n} keep?",
         "cat dog bird goat cow duck chicken rabbit sheep horse snake buffalo"),
        ("{n} memelihara {w} di rumah.", "Di rumah {n} memelihara {w}.", "Hewan apa yang dipelihara {n}?",
         "kucing anjing burung kambing sapi bebek ayam kelinci domba kuda ular kerbau")),
    "vehicle": _kind(
        ("{n} travels by {w}.", "{n} goes to work by {w}.", "How does {n} travel?",
         "bicycle train boat plane car ship truck raft cart rickshaw canoe ferry"),
        ("{n} bepergian naik {w}.", "{n} pergi bekerja naik {w}.", "Naik apa {n} bepergian?",
         "sepeda kereta perahu pesawat mobil kapal truk rakit gerobak becak sampan feri")),
    "fruit": _kind(
        ("{n} grows {w} in the field.", "In the field {n} grows {w}.", "Which fruit does {n} grow?",
         "mango banana apple coconut pineapple guava grapes papaya watermelon avocado starfruit jackfruit"),
        ("{n} menanam {w} di ladang.", "Di ladang {n} menanam {w}.", "Buah apa yang ditanam {n}?",
         "mangga pisang apel kelapa nanas jambu anggur pepaya semangka alpukat belimbing nangka")),
    "object": _kind(
        ("{n} lost the {w} yesterday.", "Yesterday {n} lost the {w}.", "What did {n} lose?",
         "key book bag hat ball chair knife umbrella ring shirt map rope"),
        ("{n} kehilangan {w} kemarin.", "Kemarin {n} kehilangan {w}.", "Apa yang hilang dari {n}?",
         "kunci buku tas topi bola kursi pisau payung cincin baju peta tali")),
}


@dataclass(frozen=True)
class Fact:
    kind: str
    person: str
    word: int
    variant: int

    def state(self, language: str, variant: int | None = None) -> str:
        template = KINDS[self.kind][language].statements[self.variant if variant is None else variant]
        return template.format(n=self.person, w=self.answer(language))

    def ask(self, language: str) -> str:
        return KINDS[self.kind][language].question.format(n=self.person)

    def answer(self, language: str) -> str:
        return KINDS[self.kind][language].words[self.word]


def story(rng: random.Random, sentences: int) -> list[Fact]:
    """Facts of different kinds about different people."""
    kinds, people = rng.sample(list(KINDS), sentences), rng.sample(PEOPLE, sentences)
    return [Fact(kind, person, rng.randrange(len(KINDS[kind][ENGLISH].words)), rng.randrange(2))
            for kind, person in zip(kinds, people)]


def text(facts: list[Fact], language: str) -> str:
    return " ".join(fact.state(language) for fact in facts)


def prompt(context: str, question: str) -> str:
    """The form of the paper's question answering; its labels stay English in every language."""
    return f"Context: {context}\nQuestion: {question}\nAnswer: "


@dataclass(frozen=True)
class Item:
    """One question in Indonesian with its English translation, the source."""

    context: str
    question: str
    answer: str
    source_context: str
    source_question: str
    source_answer: str

    @property
    def target_prompt(self) -> str:
        return prompt(self.context, self.question)

    @property
    def source_prompt(self) -> str:
        return prompt(self.source_context, self.source_question)


def items(rng: random.Random, count: int, exclude: frozenset[str] = frozenset()) -> list[Item]:
    """Questions whose kinds and words come up evenly, none with a context from `exclude`."""
    wanted = [(kind, word) for kind in KINDS for word in range(len(KINDS[kind][ENGLISH].words))]
    made: list[Item] = []
    while len(made) < count:
        rng.shuffle(wanted)
        for kind, word in wanted[: count - len(made)]:
            facts = story(rng, rng.choice([3, 4]))
            position = rng.randrange(len(facts))
            # The asked fact takes the place of one of the story's, and no other fact may be of its kind.
            others = [fact for i, fact in enumerate(facts) if i != position]
            while any(fact.kind == kind for fact in others):
                facts = story(rng, len(facts))
                others = [fact for i, fact in enumerate(facts) if i != position]
            asked = Fact(kind, facts[position].person, word, rng.randrange(2))
            facts[position] = asked
            if text(facts, INDONESIAN) in exclude:
                continue
            made.append(Item(text(facts, INDONESIAN), asked.ask(INDONESIAN), asked.answer(INDONESIAN),
                             text(facts, ENGLISH), asked.ask(ENGLISH), asked.answer(ENGLISH)))
    return made
