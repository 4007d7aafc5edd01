"""The texts of QAVIX-READ-ME.txt: for people who drop files into folders and have never seen a terminal."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from qavix_watch.core.tasks import TASKS, MediaKind, TaskType
from qavix_watch.core.text import fold, original_of_copy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qavix_watch.errors import OrderError

FILE_NAME = b"QAVIX-READ-ME.txt"
BOM = b"\xef\xbb\xbf"
"""Without this mark older editors of Windows take UTF-8 for something else."""
MOST_NAMES = 15
"""Of one list; the rest is counted."""
FIRST_LINE = "QAVIX WATCH - this note was written by the watch folder. It goes away by itself when all is well."

_EXAMPLES = """Names that work:
  dub en to es                 a film in English gets a Spanish sound track
  dub en to es,fr,de           the same, in three languages
  subs en to es                Spanish subtitles as a file
  subs en to es embed=yes      and burned into the picture as well
  erase                        subtitles and logos are taken out of the picture
  face swap                    a video and a photo of the same name
  lip sync                     a video and a sound file of the same name
  clone voice                  a sound file with one voice
  tts es voice=Maria           a .txt file is read aloud"""

_NOUNS = {
    MediaKind.VIDEO: "a video",
    MediaKind.AUDIO: "a sound file",
    MediaKind.IMAGE: "a picture",
    MediaKind.TEXT: "a plain text file (.txt)",
}

DEFAULT_FOLDER_NAMES = frozenset({
    "new folder", "untitled folder", "new directory", "untitled", "neuer ordner", "unbenannter ordner", "nouveau dossier",
    "dossier sans titre", "nueva carpeta", "carpeta sin título", "carpeta sin titulo", "nova pasta", "pasta sem título",
    "pasta sem nome", "nuova cartella", "cartella senza titolo", "cartella senza nome", "nieuwe map", "naamloze map",
    "nowy folder", "nowy katalog", "katalog bez nazwy", "folder bez nazwy", "ny mapp", "namnlös mapp", "ny mappe",
    "unavngivet mappe", "uten navn", "mappe uten navn", "uusi kansio", "nimetön kansio", "nová složka", "nový adresář",
    "složka bez názvu", "nový priečinok", "új mappa", "névtelen mappa", "folder nou", "dosar nou", "dosar fără titlu",
    "yeni klasör", "adsız klasör", "новая папка", "папка без названия", "нова папка", "папка без назви",
    "νέος φάκελος", "φάκελος χωρίς τίτλο", "nova mapa", "nova fascikla", "nou folder", "carpeta nova",
    "新建文件夹", "未命名文件夹", "新資料夾", "新增資料夾", "未命名檔案夾", "未命名資料夾", "新しいフォルダー",
    "新しいフォルダ", "新規フォルダ", "名称未設定フォルダ", "名称未設定フォルダー", "새 폴더", "무제 폴더",
    "مجلد جديد", "مجلد بدون عنوان", "תיקיה חדשה", "תיקייה חדשה",
    "ללא שם", "โฟลเดอร์ใหม่", "thư mục mới", "folder baru", "map baru", "नया फ़ोल्डर", "पूर्वनिर्धारित फ़ोल्डर",
    "novo cartafol", "nova carpeta", "carpeta sense títol", "karpeta berria", "uus kaust", "nimetu kaust", "jauna mape", "naujas aplankas",
    "ný mappa", "fillteán nua", "nuwe vouer", "nuwe gids", "dosje e re", "mapă nouă", "nepojmenovaná složka",
    "priečinok bez názvu", "neimenovana mapa", "mapa bez naslova", "нова фасцикла", "новая директория",
    "жаңа қалта", "жаңа бума", "новы каталог", "новая тэчка", "шинэ хавтас", "yeni qovluq", "yangi jild", "ახალი საქაღალდე",
    "նոր թղթապանակ", "پوشه جدید", "پوشهٔ جدید", "نیا فولڈر", "নতুন ফোল্ডার", "புதிய கோப்புறை", "కొత్త ఫోల్డర్", "नवीन फोल्डर",
    "folder baharu", "bagong folder", "novo diretório", "mappe uten tittel", "mappe uden navn", "unavngiven mappe",
    "map zonder naam", "folder bez tytułu", "cartella nuova", "無題のフォルダ", "이름없는 폴더", "新規フォルダー",
})  # fmt: skip
"""What file managers call a folder that was just made, folded and in lower case, without its number."""

_FOLDED_DEFAULTS = frozenset(fold(name).casefold() for name in DEFAULT_FOLDER_NAMES)
_NUMBER = re.compile(r"\s*(?:\(\d+\)|\d+)$")


def is_default_name(name: str) -> bool:
    """Whether a folder still bears a file manager's own name: its owner is about to type another."""
    plain = original_of_copy(name) or fold(name)
    return _NUMBER.sub("", plain.casefold()) in _FOLDED_DEFAULTS


def is_ours(text: bytes) -> bool:
    """Whether the bytes of a file are a text of this module that nobody has changed, so that it may be replaced or taken away.

    An editor that saves it as it was may leave the mark at its beginning out, and end lines in another way.
    """
    lines = [line.rstrip() for line in text.removeprefix(BOM).split(b"\n")]
    while lines and not lines[-1]:
        lines.pop()
    return lines[:1] == [FIRST_LINE.encode()] and lines[-1] == _closing(lines[:-1])


def not_understood(name: str, error: OrderError) -> str:
    """The text for a folder whose name is no order."""
    near = f"Did you mean:  {error.suggestion}\n\nThen rename this folder to that." if error.suggestion else ""
    return _note(
        f"The name of this folder is not understood:  {_shown(name)}",
        _reason(error),
        near or "Rename this folder, and the files in it are worked on.",
        "Nothing in this folder has been touched, and nothing has been billed.",
        _EXAMPLES,
    )


def loose_file(names: Sequence[str], *, projects: bool = False, project: str | None = None) -> str:
    """The text for files that lie loose in the inbox, in no order's folder.

    With `projects` that is the inbox itself, or the folder of `project`, in which the orders' folders lie.
    """
    move = "move it in" if len(names) == 1 else "move them in"
    example = "dub en to es" if project is not None or not projects else "my project/dub en to es"
    about = f"This folder is the project “{_shown(project)}”; each folder in it is an order." if project is not None else ""
    first = _shown(names[0])
    more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
    lie = "lie" if len(names) > 1 else "lies"
    return _note(
        f"{first}{more} {lie} in no order folder; make one here, for example `{example}`, and {move}.",
        *filter(None, [about]),
        _EXAMPLES,
    )


def wrong_kind(names: Sequence[str], task: TaskType) -> str:
    """The text for files that an order cannot take as its main input, such as a video in `clone voice`."""
    spec = TASKS[task]
    wanted = _NOUNS[spec.main] + (f" with {_NOUNS[spec.partner]}" if spec.partner else "")
    return _note(
        f"This folder is for `{spec.word}`, which takes {wanted}. These files are something else and wait here untouched:",
        _listed(names),
        "Move them to a folder for their kind of work, or save them as what is wanted.",
        _EXAMPLES,
    )


def options_broken(error: OrderError) -> str:
    """The text for a qavix.toml that cannot be used; all work below it stands still."""
    return _note(
        "The options file cannot be used, and nothing in this folder is worked on until it is mended:",
        _reason(error),
        'For example:\n  voice = "Maria"\n  priority = "high"',
    )


def order_inside_order(name: str, outer: str) -> str:
    """The text for a folder that looks like an order and lies inside another one."""
    return _note(
        f"This folder is called “{_shown(name)}”, which looks like an order, and it lies inside “{_shown(outer)}”.",
        "Which of the two is meant? To have it worked as its own order, move it out, to where the other order lies."
        " To have it belong to the other, give it a name that is no order.",
        "Until then its files wait here untouched, and nothing is billed.",
    )


def voice_unclear(reasons: Mapping[str, Sequence[str]]) -> str:
    """The text for an order whose voice cannot be told: each reason, with the names of the files that wait for it."""
    return _note(
        "The voice that is asked for here cannot be used, so these files wait:",
        *(part for reason, names in reasons.items() for part in (_shown(reason, 2000), _listed(names))),
        "Where the voice stands in the name of this folder, rename the folder; where it stands in a qavix.toml, change it there."
        " A voice that is cloned under that name later is found by itself.",
        "Nothing has been billed for these files.",
    )


def _listed(names: Sequence[str]) -> str:
    """Some lines of names; a folder may hold thousands."""
    lines = [f"  {_shown(name)}" for name in names[:MOST_NAMES]]
    return "\n".join([*lines, *([f"  … and {len(names) - MOST_NAMES} more"] if len(names) > MOST_NAMES else [])])


def _reason(error: OrderError) -> str:
    return " ".join(filter(None, [str(error), error.hint]))


def _shown(name: str, most: int = 300) -> str:
    """A name in a text file: nothing in it can break the line or stop the file from being written."""
    return "".join(char if char.isprintable() else "\ufffd" for char in name)[:most]


def _note(*paragraphs: str) -> str:
    """One text, with the line ends that every editor on every system shows as such."""
    lines = ("\n\n".join([FIRST_LINE, *paragraphs]) + "\n").encode("utf-8", "replace").split(b"\n")
    lines = [line.rstrip() for line in lines]
    return (BOM + b"\r\n".join([*lines, _closing(lines), b""])).decode()


def _closing(lines: Sequence[bytes]) -> bytes:
    """The last line, by which a text is known again that a person has written into."""
    mark = hashlib.sha256(b"\n".join(lines)).hexdigest()[:8]
    return f"(If you change this note, it is yours and stays.  {mark})".encode()
