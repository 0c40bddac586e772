"""The bytes of many blocks stay what they are: a change of them is a change of format.

tests/fakes/codec_vectors.py has whole blocks that must decode for ever; here a digest stands for
kilobytes of every kind of series, so that a writer and a reader that change alike are seen too.
To change the format on purpose: a new version, an old vector that still decodes, new digests.
"""

# Whole series beside their blocks:
# heap: 1m

import sys
from binascii import crc32
from hashlib import sha256

from agent.codec import BadBlock, Block, _carry, clock_of, decode
from agent.codec_write import _borrow
from tests.fakes.codec_vectors import HASH, Dice, day, even, noise


def steps(count):
    """A state and a tariff that change now and then, beside a counter that mostly stands."""
    dice = Dice(3)
    counter, state = 5, 0
    rows = []
    for i in range(count):
        counter += dice.below(7) if dice.below(9) == 0 else 0
        state = dice.below(4) if dice.below(30) == 0 else state
        rows.append((60000 * i, [counter, state, 1], bytes(3)))
    return rows


def bound(count):
    """Channels of which two add up to a third, one grid of 25, one that repeats in tens."""
    dice = Dice(8)
    first, second = 400, 90
    rows = []
    for i in range(count):
        first += dice.below(31) - 15 if dice.below(3) else 0
        second += dice.below(11) - 5
        values = [first, second, first + second, 25 * (first // 7), (i % 10) * 3 - 7]
        quality = bytes(1 if dice.below(40) == 0 else 0 for _ in values)
        rows.append((1700000000000 + 10000 * i + (i % 13 == 0), values, quality))
    return rows


def wild(count):
    """Numbers of every length, nulls, and times that jump both ways."""
    dice = Dice(21)
    at_ms = 1 << 40
    rows = []
    for _ in range(count):
        at_ms += (dice.below(1 << 12) - 300) << dice.below(20)
        values = [
            (dice.below(1 << 20) << dice.below(43)) * (dice.below(2) or -1) for _ in range(3)
        ]
        values[dice.below(3)] = None
        quality = bytes(dice.below(8) if v is not None else 4 for v in values)
        rows.append((at_ms, values, quality))
    return rows


def smooth(count):
    """Values that go on as they went, one a ramp, one a slow wave, one with its sign turned."""
    rows = []
    wave, speed = 0, 900
    for i in range(count):
        speed -= wave // 64
        wave += speed
        rows.append((900000 * i, [7 * i, wave, -wave * 3, 1 << 40], bytes(4)))
    return rows


def tied(count):
    """A power, its energy, what goes against it, a thousandth and a million times of it."""
    dice = Dice(17)
    power, energy = 900, 1 << 40
    rows = []
    for i in range(count):
        power += dice.below(901) - 440 if dice.below(5) else 0
        energy += 7 * power
        values = [power, energy, -2 * power + dice.below(3), power // 1000, 900_000 * power]
        if dice.below(20) == 0:
            values[dice.below(5)] = None
        rows.append((60000 * i, values, bytes(1 if v is None else 0 for v in values)))
    return rows


def leaps(count):
    """Values that go as far in one step as their base allows, on, back and to and fro."""
    rows = []
    far = (1 << 22) - 1
    first = second = third = 0
    for i in range(count):
        turn = i // 9 % 4
        first += (far, -far - 1, far if i & 1 else -far, 0)[turn]
        second += (0, 1 << 21, -(1 << 21), (1 << 20) * (i % 3 - 1))[turn]
        third = (third * 5 + 1) % (1 << 22) - (1 << 21) if turn else i % 2
        values = [first, second, third, first // 700 * 700]
        rows.append((1000 * i * (1 if turn else 2000), values, bytes(4)))
    return rows


def scaled(count):
    """Channels that follow the first by powers of two from a millionth to as far as it goes."""
    dice = Dice(23)
    first = 0
    rows = []
    for i in range(count):
        first += (dice.below(1 << (1 + i % 12)) - (1 << (i % 12))) if dice.below(6) else 0
        values = [first, first << 9, -first >> 11, (first >> 4) + i % 2, 3 * first, first >> 18]
        if i % 40 == 39:
            values[i // 40 % 6] += 1 << 34
        rows.append((60000 * i, values, bytes(6)))
    return rows


def climb(count):
    """A steep slope with some noise on it, beyond each base, and one down with less."""
    dice = Dice(37)
    up = down = 0
    rows = []
    for i in range(count):
        up += 150_000 + dice.below(40_001) - 20_000
        down -= 90_000 + dice.below(601) - 300
        rows.append((900_000 * i, [up, down], bytes(2)))
    return rows


def ratios(count):
    """What follows another by 8/3, about 2, and 2**15; its steps are such as shifts end at."""
    dice = Dice(41)
    values = [0] * 6
    rows = []
    for i in range(count):
        rows.append((1000 * i, list(values), bytes(6)))
        first = (3, 8191, -3, -5000)[i % 4]
        third = (4096, 8191, -4096, -7001)[i % 4]
        fifth = dice.below(41) - 20
        steps = (first, (8 * first + 1) // 3, third, third * 8193 // 4096, fifth, fifth << 15)
        for k in range(6):
            values[k] += steps[k]
    return rows


def moody(count):
    """A channel that is noise for a while and then nearly still, over and over, beside others."""
    dice = Dice(43)
    rows = []
    for i in range(count):
        is_wild = i // 36 % 2 == 0
        first = dice.below(1 << 14) if is_wild else 9000 + i % 3
        second = None if i % 50 > 40 else dice.below(1 << 9)
        rows.append((1000 * i, [first, second, dice.below(1 << 11), 5], bytes(4)))
    return rows


def grids(count):
    """Multiples of 2, 3, 40 and 1,000,000, which now and then are none; one stands on its grid."""
    dice = Dice(29)
    rows = []
    for i in range(count):
        values = [
            2 * dice.below(90),
            3 * dice.below(40) + 1,
            40 * dice.below(50),
            0,
            40 * (i // 30),
        ]
        values[3] = 1_000_000 * dice.below(5) + 7
        if i % 50 == 49:
            values[i // 50 % 5] += 1
        rows.append((1000 * i, values, bytes(5)))
    return rows


# Name: makes its rows, points, digest of all blocks that they give, and of these as
# they are before those that came out dear are packed.
SERIES = (
    ("day", lambda: day(250, 9), 3, "eae4cdd81c6fd707", "eae4cdd81c6fd707"),
    ("even", lambda: even(300), 1, "8746f3869261cf2f", "8746f3869261cf2f"),
    ("noise", lambda: noise(120, 1000, True), 3, "1a9593d547d0066a", "32d2e2d121f8cdcd"),
    ("steps", lambda: steps(400), 3, "7072996365d39a36", "7072996365d39a36"),
    ("bound", lambda: bound(250), 5, "86e3adada9e0c608", "86e3adada9e0c608"),
    ("wild", lambda: wild(90), 3, "1af042afd32a02a5", "1af042afd32a02a5"),
    ("smooth", lambda: smooth(200), 4, "fe6111ec41fd575b", "fe6111ec41fd575b"),
    ("leaps", lambda: leaps(150), 4, "7e840ae54b999ce0", "7e840ae54b999ce0"),
    ("scaled", lambda: scaled(200), 6, "846c65691699e9b3", "846c65691699e9b3"),
    ("grids", lambda: grids(240), 5, "5ed0623309fed43c", "5ed0623309fed43c"),
    ("tied", lambda: tied(160), 5, "d4805307c67acd2a", "d4805307c67acd2a"),
    ("moody", lambda: moody(700), 4, "97ffab0f34c24efb", "97ffab0f34c24efb"),
    ("climb", lambda: climb(120), 2, "06660bff99cabad4", "06660bff99cabad4"),
    ("ratios", lambda: ratios(160), 6, "e3ef5ccc69cef080", "e3ef5ccc69cef080"),
)


def blocks(rows, points, size, closed=None):
    """Return the sealed blocks of these rows, one after the other in one Block.

    closed: a list for the same blocks as they are when they are closed.
    """
    block = Block(points, size)
    block.open(HASH, 2, 1, 77)
    found = []

    def seal():
        start, end = block.close()
        if closed is not None:
            closed.append(bytes(block.data[start:end]))
        found.append(bytes(block.data[: block.seal()]))

    for row in rows:
        if not block.add(*row):
            seal()
            block.open(HASH, 2, 1, 77)
            assert block.add(*row)
    seal()
    return found


def _compare(*names):
    """Write and read these series: their rows come back, and their bytes are what they were."""
    for name, make, points, *wanted in SERIES:
        if name not in names:
            continue
        rows = make()
        marks = [sha256(), sha256()]
        for size in (4000,) if name == "moody" else (160, 1500):
            back = []
            closed = []
            for data in blocks(rows, points, size, closed):
                marks[0].update(data)
                back += decode(data).rows
            assert [(at, list(v), bytes(q)) for at, v, q in back] == rows, name
            for data in closed:
                marks[1].update(data)
        got = ["".join(["%02x" % byte for byte in mark.digest()[:8]]) for mark in marks]
        assert got == wanted, (name, got)


def test_what_meters_do_gives_the_same_bytes_and_comes_back():
    _compare("day", "even", "steps", "noise", "moody")


def test_channels_that_hang_together_give_the_same_bytes_and_come_back():
    _compare("bound", "tied", "scaled", "ratios")


def test_what_goes_as_far_as_it_can_gives_the_same_bytes_and_comes_back():
    _compare("wild", "leaps", "smooth", "climb")


def test_grids_that_are_left_give_the_same_bytes_and_come_back():
    _compare("grids")


# Sealed by the writers of these versions, each the third block of its meter: version, what makes
# its rows, hex.
OLD = (
    (
        2,
        lambda: bound(40),
        "251a2b3c4d0205018bcfe568012880460203b3af1a419d7dd2593f06885e36981a1ed76ff1908447307bfb53"
        "54d2a10af08048fe1523127731b6d103077961d126801b82e668d0f7addfd209ec984f234e7a46847bd93746"
        "9dac33feeb6647e14ba3b8c24b41c3e15587c0c5affd4329b881e4c4ef2ebb0e74425c59cedf9573b68381b5"
        "b64ce976af489dd003876b62fac39cd8d87be7b7118a140b",
    ),
    (
        2,
        lambda: wild(10),
        "251a2b3c4d02030100006e60000a980a1fb3c4ffc9056dffffd846f152aa50a8ffffffe2fd0d08e1f632ff44"
        "3462328be8b46a2861bd8e4874bb83a5b44396b1fffffdfc98ffdfd7d8222978458295624c606bedffffebdf"
        "25ff8a2247e5659f5b2bab68bf33a7cdb69540f13dfe6a8f7fffc6a26e73997e18ffffffec9188ac21c7ba43"
        "1229e152cf1261e047db89d1b5b3fe16ba23fdd27c67d0aea2fffffedd9ed6f41ceb4c1c7f9c8e513ac67d8f"
        "f87d9a6230ce4d6e8acd47da77c3821934dd638959ffffffeee0b3b7be17",
    ),
    (
        2,
        lambda: smooth(40),
        "211a2b3c4d02040000000028ffc2566dccedc312f7ffffe0e30e95f0c439992bb389b3ce1251fb6c580f82a2"
        "41632e8d8c778e97d55f535b191e8d02ea1a117ee7769450a00d2d2a39d6205d708c4a3032e5b7b2a9520701"
        "a9675a4dbd7aa40816751afd63c8308d4b064ab2d92673f5b36b0bc2075d589e4f852e634da12832b1",
    ),
    (
        2,
        lambda: tied(50),
        "211a2b3c4d02050000000032353e56055e49abfff2a1b40529390ee4a733c9a4d9fd9f24b5720977d62fef49"
        "11d86a4b82365fca5fd5e2ac155b38a58b6622be900711597c9eaa45feee7cebf86354e364ca54cab776336c"
        "11043d1d2d75dd73d209da6dc100dde685ba7ea1a4096319222593c34d0ebe8de405f23935c1aa6be37ef653"
        "426f8d85a239adf0f4cef4e5d1ae701f1fd639afb54c52f7c73b5be9d87939299f788f7df99e25ad7b9adcbf"
        "a02e44230b5a65a93d84c888b6dfc3117e91bad1b608d270565a7db8f1bf4c0c215fe98e4fb217651f5b0edc"
        "ae25acf3c17939f2a6645729c2ca71a9bec3c21e76d2ff1efc4471b4cde59b83ddc9084dfb5e797d4c6b9162"
        "800d20b431a2c0d0a44ab6978efb7327c9cd542ebbca3c9badc4a85a286004ae0628034153a56e8c34b9085e"
        "b260ed62812a1a80a8d94f0abb497ece536306511c8bf1cedd4527dbb5739b41e87445846ef4c9",
    ),
    (
        2,
        lambda: leaps(40),
        "211a2b3c4d0204000000002835462bcbaeb4d725e363ce8594e12b99d84509d7293fdfe27ca1152c87f89ebb"
        "9324751bf95a3d27ea3b2efec88c26c562fdd8aa29afd6be89884d9998de4e6f924f77da2cbabea32603a3b2"
        "e3447f78a350189ff0934ce3e854dc23fca36558b2b43178c98a0059d268734d787d0ab805175137330e1f44"
        "53430e645697e8d0dbad2dc61fb74aceba463b4e06c8b713382b8dd20b669a714e8e8f2f251377934bbd3dd7"
        "907ac98d47ffde0329cf2b3dbfb44bb7621bb40fdd3a599d26603a57f80d4090912e4e2e0f52a7f75434153a"
        "3e4593ea27056bf4a672e1c1640c7d4222ea0db5b4f6b6830bf5c3fdeceae1c1f28279c900a67c354aa26301"
        "3060a2271c03964aad60e0eab8b6",
    ),
    (
        2,
        lambda: scaled(44),
        "211a2b3c4d0206000000002c40c9054bbdff392e0a9b278d67368f85e6c8e93e60a5c968b1d7ffbb24b742bf"
        "207a46b5b2c30c2bfd7f4c855662f77c0b68e5645b242b0562f5ca724fd00a0d7851f57f1f972fd119e16adf"
        "54351f39f5da03b7773704d2e8fa1762dd285af9532c8e7ecc39195121e0f35a1c9906ec615c2183ffab5c20"
        "f6031d161866ad9979a02cb230bd3d50654b9977a0aa6974d83e89261b08db4c0b6216487b16b11f78a74a94"
        "1016df3025be1ceb77e4cc2a2414a7c1116b90e05966f7e03d63",
    ),
    (
        2,
        lambda: grids(40),
        "211a2b3c4d02050000000028fbb228f267badde3a53566812ec3b7c70ee6b629ffc4dd0bad2a1dfed7ca9836"
        "4ef2012d43da4b03daa4f9894730e998373da3bc217e0d42df0b15d84ec60e15d0de7328184478c2488798cf"
        "dcf45d3fce8d894f218d71f3a798613554bcae1993b6b6dfc7dfb929e87e2179a3d182e3fcbaea2ccfc579df"
        "dcc1f4b9b86473b5ac85ba7e85f3dc4ea8cca2e01cb882aa4be19b94e2bf513b4bcc99f958847c120d44c720"
        "694aa91a4a1390422a46a876d65cd9de88058feee2eb04263757e0558e5469e63f6f7228101df1877939b98c"
        "c72307d853250d37",
    ),
    (
        2,
        lambda: climb(120),
        "211a2b3c4d020200000000783a58f5e7939b5c5969665440be46b117976266d34e69de072ab664bd4faf3c84"
        "343c2b005ef9fad971426a24ec67370b6e5a228176b8562014c760bfd873fa61f000861a64b72a5eef514c4c"
        "6d29c463d5529f221830fb9f3c295e0b76cf84ae018bb723a94f051f13722a598e5fa65817fc385ff9bafa31"
        "d59ef6df1780c09a003680eb164d2e634d9d62df35906b66bf0e7a89c73ef4aeef78f7cb771ccccc8697cef6"
        "a71f682173247710b1d08d668514194521be2ac717b4cb8e55585823089e629c36f28d1804cf7ae14d7f89ab"
        "8858cd10eb0fe489207954cbff3548126bfc707a30eb766e868b84cb607335e09d74d5e1e74d112f57c4fedb"
        "ec16a8cb4a9ef1fa5b36af9e9b3474501539b9895fc1f295babab8b752e21e6c7a4b67e73e16684d9cfcb101"
        "5400dc16161211c31f0521a4a0323d15999f0e279cfce64c51d974bcea56e4eee540ca26f86e5e8cf3374ac2"
        "b51e2b893ada089c8fe1b5b68321d34c5e4afd2aa7750b08ddd94bcebab4bc4d6136e0b287502aaa0a4d000b"
        "cb35e7ec88eb88ce8758c672c40ece503f9dad6ff0222f47cc5b49cb9d4f2c212685ec775c9d1d0a",
    ),
    (
        2,
        lambda: ratios(36),
        "211a2b3c4d0206000000002440ade723f5ffd8d104c25939f5a88dad2e3e46b6d4ae0ec92c1caa6c14af138e"
        "5f05281ccf2004349ff3b171eeefecb29cf28c619e19c9d6a24dbd8ed73d47cbfefb19ce350c18dd678a45e7"
        "3269f4413d831cd2e682b09e6cb00700f98bfbc6957d69d92508acfba1eb6865822136189dbc1069ae08408f"
        "2aec3b186c8f119343e5b1fc532ab285fba506395a43a89b93c7fc6900854659d4db859d663bb70fa9ebaffa"
        "ff18917b67b90b03a434c0716f8f2ec102608181f07608fcad75afbbf3dc46390456f4b34990548001086086"
        "64e8d9e53aa21b363130a523f2c892e25a022f96b1cda406d8da126b4fc97905678e0e771dcc224ff5ba3c72"
        "e8d7e339d187b527662b18221d2c311af3588cbd92fd29d3c2731e75da6b5ef0bbe8fc6fa5432bc550aab5e7"
        "0a70aaeb41a790ff10ef",
    ),
    (
        3,
        lambda: bound(40),
        "351a2b3c4d0205018bcfe568012884be20e4f1579a968bbafb7b688c9b8a25a520caeaefd7c1813ad063e422"
        "d64b391da7f68cdaf4d36235a7df1d10f00a20c59e177bd11fa891b9bb054a563308bd11fe5108cb43c9971e"
        "7f25c3083bc2df1ffe315baaea2b6a62a020a4baedceaad55df3ebe7f472343df1f8700d7fb2daa9eb7ef0cf",
    ),
    (
        3,
        lambda: wild(10),
        "351a2b3c4d02030100006e60000aa0b91cdacf39ebd28000004daab5fe44c8e000000a6633a0ee679a80001b"
        "1912fe555ec95ab1979092aa18002faf294580000000133f09879fa58413e1a268170a468c0ac51f08260000"
        "02996038f1b64065a6beb9252b9f68d01f0dc3800503e379bd0004c42224754bd307123da9800000143b844d"
        "20a6ca2bc011d53a549d58049186a8c0038b35d7d99976518fa9a28aea4ed136e64f0f242394e3a300000000"
        "0000005ff0360a00638d47c412d61e15ed4c06b1a00000fc4802b3753965f7cf6696a4fcc27ea04716400000"
        "00000171feb5",
    ),
    (
        3,
        lambda: smooth(40),
        "311a2b3c4d02040000000028ffc86a70690e7c206c00001e52efd1cca06dc87742d77baed75027916f5a7f2d"
        "26710b4f3c87318fe663eafaad164acad6b2389aa0f29e564ee065d10a131d8cf0b7765080da5d865c292bd7"
        "764fdad5c86025371ff7260ed5e4fe47baa50bbec1f31da5cc7c6ddacad83361ee18355981a4b5f3",
    ),
    (
        3,
        lambda: tied(50),
        "311a2b3c4d0205000000003262de955d56af005f8680cf04e9286fa53a2f9f51dbf2667374122d4b58281020"
        "bf30ccad8d0dc63e429dc6ca19d440b7b8f335424bde7590bb65a4262cef63d40ace2485ca10c8f55a3221f3"
        "ff1f95b3418b5ddab3e2c70fce51ab95ba3290dccc646e767d088c611b1dd1e8dce23dd0a99c2b0c9408a3a8"
        "fb29db0a1ef6720cbe16ce3ee0600661724f22cf7b9fc44c54f798eac47a19a49342cb082e1f64279b712f0b"
        "02a20fd32a30f1c92c6f4daf719aec7249ecca3432fe7cb316d5b0cbc792f3c426d496c74d95958bf9cdf72c"
        "0a9eb503f29e67075ce2cacddc8c1500ed2f3466d1693a204ec5387bf071bbdf5d8347460ef2386b5112c0ec"
        "bba3c7fddae3e81a09992975c577813f754dc9c2db19e9707716e4c24ede9f5ed9b4f34a3555b717bd89ed6f"
        "5299caa8705a778d5ed87f21806ef8f62d5248823b1237a7eb1b28a1d20768138d0a178b7665b7713bce6a3b"
        "de06905ffc2bdc",
    ),
    (
        3,
        lambda: leaps(40),
        "311a2b3c4d02040000000028e956c7ffffab64f27939e78b08aa3f4d84155caef3c531fcb535422206da6af0"
        "e16c81f5767c292b0ebf2d88ec3ff4d2d296e55434ffca7c5915f91bbec8f087e9cf79ce9b0dfefa9518ec98"
        "7ff831e435161cf40b3e9c75a88f766d0210a47c064759490444d557498c7436501f3800dc2251b4b2b123f2"
        "27089d6b8883b29a59c9040f36d437900c70e4585d2f9668a28853eebc3885de4b7a1fe6a893817678cbb1fa"
        "02407430abdbbe23236600a655a39f089c82598acbdd26ed20ff2e42e1326106f5e0b1014a530cbd7ded8bfb"
        "239b6feb39",
    ),
    (
        3,
        lambda: scaled(44),
        "311a2b3c4d0206000000002c5dfa17ffbfd5c6671879425281dc2b4d6af011ec5681c753e87632017f7237f1"
        "2b8f0824fafb1179ef72179e05e10ed556e20215d101b7faa76cb0db01de1cc5a92f7c1b6a84ad2f1e33e7db"
        "f6cd6c3b09d6b3bf7dda554a499785515bfb40817dda70729ec18859af4f637ff8ac169f177633f102c38952"
        "7a6fa26a91bfbb6a1de82f8d7a8606055ba1b057d65a49f9808c1dff2a1737df19278b66a34cb300ee1b82ec"
        "e573c4ec78befb438b7913082c6f075d461deeaeda2a8f32515701b342123bfa",
    ),
    (
        3,
        lambda: grids(40),
        "311a2b3c4d02050000000028fbc837e98fe8a288fc6981cb19b882c1c7e0bc34ef9b9eb41a1ab2fcdd0e3964"
        "8e1c76d401821adfe3223f8688333c223e65a9f326559d4dda5e177adc7be00bb5ef79ad1a54d99b7296a3b8"
        "f065979ddd275dcb2c8cf1a3e078aa334ccc358ce7714cd99f39c000d0da9f853a1a14e2456297be7aeae07a"
        "c541c9b48e56a4f677f1e84d5c0ae33957b7cc0f1e081eadd06ca20d89f64080125b2de8bc87ef228b191755"
        "75e4e4e2cbd0583d7ef804f110f56ba4c7e30c7b9297f8495af84307c9b46c7c39d1dce66f2363c0f6306c1d"
        "db95565082b5020c40",
    ),
    (
        3,
        lambda: climb(20),
        "311a2b3c4d02020000000014decd6a6dde99fa0bb4ff65abb11ceca703f13a419d8cc10753509990c22d717a"
        "648ede6c5306f58724fa1bf71872be2e2798c1f77f411cbca363e90ef686862b91e7785fd13594d112f476c5"
        "386259fafb808ec69f553d",
    ),
    (
        3,
        lambda: ratios(36),
        "311a2b3c4d020600000000245b16df31630aeaabfff33b4e27dfdf06a2002b0f8270589de6441a418567416d"
        "7a287a9aaf20cf016dc8482ff305fb84838fc93c9f7690fb2e57eb18cb5342da8053ee88ce0f6b1c51ca7705"
        "bb86ececeaa6859145174518a9c72bc1dec41606fdc531b3fb3c44a6381aab80bdee1e01167f80404f1510d7"
        "38339ae1ca52954700668e2f5599c58043d8dd7340142e2d9a3a92a6ec68f80c4c38734ce88c061e3d0066f1"
        "c94f4e28189dd5d4eaa8f80f1f4baf4174ef776c69cfe9426987e6ab5516edfd07c1b0f45a36378c0d4ff480"
        "bcac74fc81e56bc114bee1ed1f724ca32f58a16e2d1bcfb12060f922bc0a507a80db714eab73d74c3467acfa"
        "9d65c78e2c",
    ),
)


def _told(data):
    """Return (version, rows) of a block."""
    found = decode(data)
    rows = [(at, list(values), bytes(quality)) for at, values, quality in found.rows]
    return found.version, rows


def test_blocks_of_older_writers_still_give_their_rows():
    for version, make, text in OLD:
        assert _told(bytes.fromhex(text)) == (version, make()), (version, text)


def _closed(body):
    return body + (crc32(body) & 0xFFFFFFFF).to_bytes(4, "big")


def _varint(number):
    number = number << 1 if number >= 0 else (-number << 1) - 1
    out = []
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def _version_1(rows, points, clock=1):
    """Return a block as agent/FORMAT.md says of version 1."""
    at_ms = rows[0][0] if rows else 0
    body = b"\x01" + HASH + bytes((2, clock)) + (77).to_bytes(4, "big")
    body += at_ms.to_bytes(8, "big") + len(rows).to_bytes(2, "big") + bytes((points,))
    last = [0] * points
    for at, values, quality in rows:
        body += _varint(at - at_ms)
        at_ms = at
        for i, value in enumerate(values):
            body += bytes((quality[i] << 1 | (value is not None),))
            if value is not None:
                body += _varint(value - last[i])
                last[i] = value
    return _closed(body)


def _refused(data):
    try:
        decode(data)
    except BadBlock as why:
        return str(why)
    raise AssertionError("accepted")


def test_a_carry_goes_through_bytes_that_are_full_and_comes_back():
    for before, after in ((b"\7\0\xff", b"\7\1\xff"), (b"\7\xff\xff\xff", b"\x08\0\0\xff")):
        data = bytearray(before)
        _carry(data, len(data) - 1)
        assert data == after
        _borrow(data, len(data) - 1)
        assert data == before


def test_the_clock_and_the_boot_of_a_block_are_found_without_reading_it():
    for clock, boot in ((0, 0x01020304), (1, 0), (2, 0)):
        data = bytearray(_version_1([(5, [1], bytes(1))], 1, clock))
        data[7:11] = b"\1\2\3\4"
        assert clock_of(data) == (clock, boot)
        block = Block(1, 200)
        block.open(HASH, 1, clock, 0x01020304)
        block.add(5, [1], bytes(1))
        assert clock_of(bytes(block.data[: block.seal()])) == (clock, boot)


def test_what_is_no_block_is_told_by_its_bytes():
    body = b"\x65\x77" + bytes(20)
    assert _refused(_closed(body)) == "version byte 65, known are 01 and 20 to 5f"
    assert _refused(bytes(9)) == "9 bytes, a block has at least 11"
    good = _version_1([(5, [1], bytes(1))], 1)
    told = "crc %08x, computed %08x" % (1, crc32(good[:-4]) & 0xFFFFFFFF)
    assert _refused(good[:-4] + b"\0\0\0\1") == told


def test_version_1_gives_its_rows_or_says_what_is_wrong():
    for rows, points in ((wild(10), 3), (day(30, 2), 3), (bound(10), 5), ([(5, [], b"")], 0)):
        data = _version_1(rows, points)
        assert _told(data) == (1, [(at, list(v), bytes(q)) for at, v, q in rows])
        found = decode(data)
        assert (found.config_hash, found.meter, found.clock, found.boot) == (HASH, 2, 1, 77)
        for end in range(22, len(data) - 4):
            why = _refused(_closed(data[:end]))
            assert "cut short" in why or "ends beyond" in why, why
        assert "1 bytes after the last row" in _refused(_closed(data[:-4] + b"\0"))
    for end in range(7, 22):
        assert "it has at least 22" in _refused(_closed(data[:end]))
    whole = [
        (5, [(1 << 64) - 1, -(1 << 63)], b"\0\0"),
        (6, [-(1 << 63), (1 << 64) - 1], b"\x7f\0"),
    ]
    assert _told(_version_1(whole, 2)) == (1, whole)
    for value in (1 << 64, -(1 << 63) - 1):
        assert "beyond 64 bits" in _refused(_version_1([(5, [value], b"\0")], 1))
    assert "cut short" in _refused(_version_1([(5, [1 << 69], b"\0")], 1))  # eleven bytes


def test_wrong_content_of_any_version_with_a_right_check_sum_ends_alike():
    """In BadBlock or in rows: by agent/FORMAT.md each reader makes the same of any bytes."""
    dice = Dice(9)
    mark = sha256()
    whole = [bytes.fromhex(text) for _, _, text in OLD] + [_version_1(wild(10), 3)]
    for rows, points in (
        (wild(12), 3),
        (leaps(20), 4),
        (scaled(20), 6),
        (noise(24, 1000, True), 3),
    ):
        whole += blocks(rows, points, 2000) * 6
    bad_ones = 0
    for good in whole * 2:
        bad = bytearray(good[:-4])
        for _ in range(1 + dice.below(4)):
            bad[7 + dice.below(len(bad) - 7)] = (255, 0, dice.below(256))[dice.below(3)]
        if dice.below(4) == 0:
            bad = bad[: 7 + dice.below(len(bad) - 7)]
        try:
            text = repr(_told(_closed(bytes(bad))))
        except BadBlock as why:
            text = str(why)
            bad_ones += 1
        mark.update(text.encode())
    assert 10 < bad_ones < 2 * len(whole) - 10
    if sys.implementation.name == "cpython":  # whose numbers have no end; others say so earlier
        got = "".join(["%02x" % byte for byte in mark.digest()[:8]])
        assert got == "1e9be6ea8189b16a", got


# "v is code // span, at most 2**c - 1": code // span is beyond that here.
_HELD = (
    "411a2b3c4d02030000000014e26469ffff6d6035e110961e0967ff3e83b066aeb5c2d4d9fcca1cc87a93cae5"
    "ff71d22fc1e04fff9d58a73f54603663f1a6a5a2251b668b9f128f1c251f35efafbd1e244ab459e00a354fb9"
    "a6509341"
)


def test_plain_bits_that_no_writer_wrote_are_held():
    assert _refused(bytes.fromhex(_HELD)) == "a value beyond what can be written"


def test_the_level_of_a_channel_is_held_within_28_bits():
    block = Block(1, 400)
    for level, trend, wanted in (
        (0xFFFFFFF, 0, 134217727),  # half the way from there to 0
        (0xFFFFFFF, 1, 134217727),
        (0x8000000, 0x8000000, 134217727),
        (0x8000000, 0x7FFFFFE, 134217727),
        (-0xFFFFFFF, 0, -134217728),
        (-0xFFFFFFF, -1, -134217728),
        (-0x8000000, -0x8000000, -134217728),
        (-0x8000000, -0x7FFFFFE, -134217727),
    ):
        block.open(HASH, 2, 1, 0)
        for i in range(2):
            assert block.add(1000 * i, [i & 1], b"\0")
        state = block.rows.state
        channel = 22 + 33
        state[channel + 4] = 0x20000000 + level
        state[channel + 5] = 0x20000000 + trend
        assert block.add(2000, [0], b"\0")
        assert state[channel + 4] - 0x20000000 == wanted, (level, trend)


# The earliest and the latest time, the least and the greatest value; and what is one beyond.
EDGES = (
    (2, [(1, [1]), (0, [2])], "251a2b3c4d020100000000000102fbf452edc11f"),
    (
        2,
        [(1 << 62, [1]), ((1 << 63) - 1, [2])],
        "2d1a2b3c4d020140000000000000000002fc7b4c1aa6c10000000008450ddee75c",
    ),
    (
        2,
        [(5000, [(1 << 64) - 1]), (6000, [-(1 << 63)]), (7000, [(1 << 64) - 1])],
        "211a2b3c4d0201000000050317eb579f000000000071b6a5e1d1ffffffffffffebff707b770000000000ea59d2d6",
    ),
    (3, [(1, [1]), (0, [2])], "351a2b3c4d020100000000000102fd53a07b1463b0"),
    (
        3,
        [(1 << 62, [1]), ((1 << 63) - 1, [2])],
        "3d1a2b3c4d020140000000000000000002fd9ad05c1e7bffffffffff53e0150930",
    ),
    (
        3,
        [(5000, [(1 << 64) - 1]), (6000, [-(1 << 63)]), (7000, [(1 << 64) - 1])],
        "311a2b3c4d02010000000503623ad218ffffffffffff1f430f3600000000000094433092d386fffffffffffc74f989ac",
    ),
    (4, [(1, [1]), (0, [2])], "451a2b3c4d020100000000000102fd53a01fa0adc3"),
    (
        4,
        [(1 << 62, [1]), ((1 << 63) - 1, [2])],
        "451a2b3c4d0201ffffffffffff400000000000000002fd9ad05c1e7bffffffffff53d68413ed",
    ),
    (
        4,
        [(5000, [(1 << 64) - 1]), (6000, [-(1 << 63)]), (7000, [(1 << 64) - 1])],
        "411a2b3c4d02010000000503623ad218ffffffffffff1f4ca236000000000000944365079398fffffffffffdec582e3282",
    ),
)
BEYOND = (
    (2, "-1 ms", "251a2b3c4d020100000000000102fbfeb2382801"),
    (
        2,
        "9223372036854775808 ms",
        "2d1a2b3c4d020140000000000000000002fc7b4bf70dffffffffffffda5e7018bf",
    ),
    (2, "beyond 64 bits", "211a2b3c4d02010000000502fc7c33a9ae22ffffffffffffa590f6a9b7"),
    (2, "beyond 64 bits", "211a2b3c4d02010000000502fc7c33aa9662fffffffffffeb8bda8ef0b"),
    (3, "-1 ms", "351a2b3c4d020100000000000102fd747150053397"),
    (
        3,
        "9223372036854775808 ms",
        "3d1a2b3c4d020140000000000000000002fd9acf41e64a0000000001af39acfb32",
    ),
    (3, "beyond 64 bits", "311a2b3c4d02010000000502fd9b71af3a96000000000002cbb89661fe"),
    (3, "beyond 64 bits", "311a2b3c4d02010000000502fd9b71b27ae4000000000002503dfcb480"),
    (4, "-1 ms", "451a2b3c4d020100000000000102fd747134b1fde4"),
    (
        4,
        "9223372036854775808 ms",
        "451a2b3c4d0201ffffffffffff400000000000000002fd9acf41e64a0000000001af0f3de1ef",
    ),
    (4, "beyond 64 bits", "411a2b3c4d02010000000502fd9b7216d996000000000002cb0338e869"),
    (4, "beyond 64 bits", "411a2b3c4d02010000000502fd9b721a19e400000000000250286bd78e"),
)


def test_times_and_values_may_be_as_far_as_64_bits_and_no_farther():
    for version, told, text in EDGES:
        rows = [(at, values, b"\0") for at, values in told]
        assert _told(bytes.fromhex(text)) == (version, rows), text
    for version, why, text in BEYOND:
        assert why in _refused(bytes.fromhex(text)), (version, why)


def test_the_first_time_of_a_block_may_need_all_bits_of_its_field_and_more():
    for unit_ms, bits in ((1000, 32), (1, 48)):
        for first in (0, (1 << bits) - 2, (1 << bits) - 1, 1 << bits, (1 << bits + 3) + 5):
            block = Block(1, 100)
            for _ in range(2):  # the second knows the unit
                block.open(HASH, 2, 1, 0)
                assert block.add(first * unit_ms, [5], b"\0")
                assert block.add(first * unit_ms + (1001 if unit_ms == 1 else 1000), [6], b"\0")
            found = decode(bytes(block.data[: block.seal()])).rows
            assert found[0][0] == first * unit_ms, (first, unit_ms)


def test_bytes_behind_the_last_row_make_a_block_of_any_version_bad():
    blocks = [bytes.fromhex(text) for _, _, text in OLD] + [_version_1(wild(4), 3), _packed(_FIVE)]
    for good in blocks:
        assert "after the last row" in _refused(_closed(good[:-4] + bytes(4))), good[0]


# --- version 5, by hand

_FIVE = ((0, 1), (0, 7), (1, 4), (5, 8), (0, 4))  # one point: not mixed, always the value 5


def _packed(fields, count=1):
    """Return a block of version 5 with one point: fields (number, bits), whole bytes in all."""
    number = bits = 0
    for value, size in fields:
        number = number << size | value
        bits += size
    assert bits % 8 == 0
    head = b"\x51" + HASH + b"\x02\x01" + (9).to_bytes(4, "big") + bytes((count,))
    return _closed(head + number.to_bytes(bits // 8, "big"))


def test_version_5_as_it_is_drawn_in_format_md():
    assert _told(_packed(_FIVE)) == (5, [(9000, [5], b"\0")])
    # two rows, 3 s apart, of 4 bits above -2; and a bit to the whole byte
    step, point = ((0, 7), (1, 4), (3, 8)), ((0, 1), (4, 7), (1, 4), (254, 8))
    found = _told(_packed(step + point + ((0, 1), (7, 4), (15, 4)), 2))
    assert found == (5, [(9000, [5], b"\0"), (12000, [13], b"\0")])
    # mixed: forms from 6 on in one bit: quality 3 without a value, or with 2 bits above 0
    mixed = ((0, 7), (0, 4), (1, 1), (6, 8), (1, 4), (2, 7), (0, 4), (0, 5))
    rows = ((0, 1), (1, 1), (3, 2), (0, 4))
    found = _told(_packed(mixed + rows, 2))
    assert found == (5, [(9000, [None], b"\3"), (9000, [3], b"\3")])


def test_version_5_that_nobody_wrote_is_bad():
    good = _packed(_FIVE)
    for end in range(12, len(good) - 4):
        assert "end early" in _refused(_closed(good[:end]))
    for fields, why in (
        (((0, 1), (66, 7), (0, 4), (0, 4)), "of 66 bits"),
        (((0, 1), (0, 7), (10, 4), (0, 4)), "of 10 bytes"),
        (((1, 1), (255, 8), (4, 4), (0, 7), (0, 4), (1, 4), (0, 4)), "a quality of 128"),
        (((0, 1), (0, 7), (9, 4), (1 << 64, 72), (0, 4)), "beyond 64 bits"),
        (((0, 1), (0, 7), (9, 4), ((1 << 72) - (1 << 63) - 1, 72), (0, 4)), "beyond 64 bits"),
        (((0, 1), (65, 7), (0, 4), (0, 4), (1 << 64, 65), (0, 7)), "beyond 64 bits"),
    ):
        assert why in _refused(_packed(fields)), why
    for fields, value in (
        (((0, 1), (0, 7), (9, 4), ((1 << 64) - 1, 72), (0, 4)), (1 << 64) - 1),
        (((0, 1), (0, 7), (8, 4), (1 << 63, 64), (0, 4)), -(1 << 63)),
        (((0, 1), (65, 7), (0, 4), (0, 4), ((1 << 64) - 1, 65), (0, 7)), (1 << 64) - 1),
    ):
        assert _told(_packed(fields))[1] == [(9000, [value], b"\0")]


def test_the_grid_of_a_channel_divides_all_that_was_seen_of_it_at_the_ends_of_blocks():
    block = Block(1, 500)
    for number in range(6):
        block.open(HASH, 2, 1, 0)
        assert block.rows._grid(1) in (0, 1, 40), number
        for i, value in enumerate(
            (800, 200, 0, 40, 120)
        ):  # 80 from the last, 120 from that before
            assert block.add(1000 * i, [number * 4000 + value], b"\0")
    block.open(HASH, 2, 1, 0)
    assert block.add(0, [0], b"\0") and block.rows._grid(1) == 40


def test_which_blocks_are_packed_stays_what_it_is():
    # Once a block is dearer than packed bits by more than a 64th and 4 bytes, as far as is known.
    for least, below, points, seed, wanted in (
        (0, 128, 1, 31, "44445554555555"),
        (-9000, 128, 1, 31, "44445555555555"),
        (-300, 256, 2, 4, "44445555555555"),
        (0, 64, 3, 6, "44545555555555"),
    ):
        dice = Dice(seed)
        got = ""
        for count in range(8, 120, 8):
            block = Block(points, 1500)
            block.open(HASH, 2, 1, 0)
            for i in range(count):
                values = [least + dice.below(below) for _ in range(points)]
                assert block.add(1000 * i, values, bytes(points))
            block.seal()
            got += "%d" % (block.data[0] >> 4)
        assert got == wanted, (least, got)
