"""Finding, merging and checking: which file is read, what wins, and what each problem says."""

from __future__ import annotations

import os
import re

import pytest
from pydantic import ValidationError

from qavix_watch.config import Address, Settings, load
from qavix_watch.config.problems import keys_of
from qavix_watch.config.settings import NOT_YET
from qavix_watch.errors import ConfigError

HOME = {"HOME": "/home/somebody"}
PLANTED = "qx-PLANTED-hunter2"


@pytest.fixture
def write(tmp_path):
    """Write a configuration and give its path."""

    def _write(text: str | bytes) -> str:
        file = tmp_path / "conf" / "qavix-watch.toml"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        return str(file)

    return _write


def refused(path: str | None, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path, HOME | (environ or {}))
    return str(caught.value)


# ---- which file


def test_without_any_file_the_defaults_hold(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = load(None, {"HOME": str(tmp_path)})
    assert settings.source is None
    assert settings.folders.root == f"{tmp_path}/Qavix"
    assert settings.folders.inbox == f"{tmp_path}/Qavix/inbox"
    assert settings.state.path == f"{tmp_path}/.local/state/qavix-watch/state.db"
    assert settings.api.base_url == "https://qavixi.com/qavix"
    assert (settings.watch.settle, settings.watch.truncated_after, settings.retry.give_up_after) == (1, 3600, 259200)
    assert (settings.follow.poll_min, settings.follow.poll_max, settings.deliver.min_free) == (5, 300, 10**9)
    assert settings.web.listen == Address("127.0.0.1", 8420)
    assert settings.without_effect == ()


def test_the_first_file_that_exists_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    environ = {"HOME": str(tmp_path / "home"), "XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    places = {
        "xdg": tmp_path / "xdg/qavix-watch/qavix-watch.toml",
        "here": tmp_path / "qavix-watch.toml",
        "variable": tmp_path / "variable.toml",
        "option": tmp_path / "option.toml",
    }
    for name, place in places.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f'[api]\naccount = "{name}"\n')
        named = environ | ({"QAVIX_WATCH_CONFIG": str(places["variable"])} if name in ("variable", "option") else {})
        settings = load(str(place) if name == "option" else None, named)
        assert (settings.api.account, settings.source) == (name, str(place))


def test_the_config_directory_of_the_user_is_in_the_home_unless_said_otherwise(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "home/.config/qavix-watch/qavix-watch.toml"
    place.parent.mkdir(parents=True)
    place.write_text("")
    assert load(None, {"HOME": str(tmp_path / "home")}).source == str(place)


def test_a_file_that_is_named_and_not_there_is_refused_rather_than_another_one_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "qavix-watch.toml").write_text("")
    assert "--config names /nowhere.toml" in refused("/nowhere.toml")
    assert "QAVIX_WATCH_CONFIG names /nowhere.toml" in refused(None, {"QAVIX_WATCH_CONFIG": "/nowhere.toml"})


def test_a_file_that_cannot_be_read_is_refused_by_name(tmp_path):
    assert f"cannot read {tmp_path}" in refused(str(tmp_path))


def test_a_place_that_cannot_be_looked_at_is_no_empty_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.symlink("qavix-watch", tmp_path / "qavix-watch")  # leads to itself: stat fails, for root as well
    assert f"cannot look at {tmp_path}/qavix-watch/qavix-watch.toml" in refused(None, {"XDG_CONFIG_HOME": str(tmp_path)})


@pytest.mark.parametrize(
    ("text", "line"),
    [("[api]\n\naccount = default\n", 3), ("[watch\n", 1), ("a = 1\na = 2\n", 2), (b"# \xff\n", 1), (b'[api]\nx = "\xe4"\n', 2)],
)
def test_a_broken_file_is_named_with_the_line(write, text, line):
    path = write(text)
    message = refused(path)
    assert path in message
    assert f"in line {line}" in message


def test_a_section_that_stands_there_twice_is_named(write):
    """What comes of pasting an example below the configuration that `init` wrote, which has every section already."""
    path = write("[budget]\n#per_day = 1\n[log]\n\n[budget]\nper_day = 2000\n")
    assert f"{path} has a second section [budget] in line 5; put its keys into the first one" in refused(path)


def test_a_byte_order_mark_is_allowed(write):
    assert load(write(b'\xef\xbb\xbf[api]\naccount = "x"\n'), HOME).api.account == "x"


# ---- merging


def test_the_environment_wins_over_the_file_key_by_key(write):
    path = write('[watch]\nsettle = 3\nrescan = "2 min"\n[words]\nto = ["nach"]\n')
    settings = load(path, HOME | {"QAVIX_WATCH_WATCH__SETTLE": "0.25", "QAVIX_WATCH_WORDS__DUB": '["doblar"]'})
    assert (settings.watch.settle, settings.watch.rescan) == (0.25, 120)
    assert settings.words == {"to": ("nach",), "dub": ("doblar",)}


ENVIRONMENT = {
    "api.base_url": ("http://127.0.0.1:1", "http://127.0.0.1:1"), "api.account": ("a", "a"), "api.key_file": ("/k", "/k"),
    "api.ca_file": ("/c", "/c"), "api.timeout": ("1 min", 60), "api.paths": ('{"pricing": "/p"}', {"pricing": "/p"}),
    "folders.root": ("/r", "/r"), "folders.inbox": ("/i", "/i"), "folders.outbox": ("/o", "/o"),
    "folders.archive": ("/a", "/a"), "folders.failed": ("/f", "/f"), "folders.after": ("keep", "keep"),
    "folders.projects": ("true", True), "watch.mode": ("poll", "poll"), "watch.settle": ("2", 2),
    "watch.settle_remote": ("3", 3), "watch.settle_folder": ("4", 4), "watch.rescan": ("5 s", 5),
    "watch.truncated_after": ("6", 6), "watch.ignore": ('["*.bak"]', ("*.bak",)), "upload.parallel": ("7", 7),
    "upload.rate": ("8 MB/s", 8_000_000), "upload.window": ("01:00-02:00", (60, 120)), "follow.poll_min": ("1", 1),
    "follow.poll_max": ("99", 99), "callback.public_url": ("https://h/x", "https://h/x"),
    "callback.listen": ("127.0.0.1:1", ("127.0.0.1", 1)), "web.listen": ("[::1]:2", ("::1", 2)),
    "web.password_file": ("/p", "/p"), "web.trusted_proxies": ('["10.0.0.0/8"]', ("10.0.0.0/8",)),
    "deliver.video_translation": ("{stem}-{target}{ext}", "{stem}-{target}{ext}"),
    "deliver.subtitle_translation": ("{stem}-{target}{ext}", "{stem}-{target}{ext}"),
    "deliver.smart_erasure": ("{stem}-{ext}", "{stem}-{ext}"), "deliver.face_swap": ("{stem}-{ext}", "{stem}-{ext}"),
    "deliver.lip_sync": ("{stem}-{ext}", "{stem}-{ext}"), "deliver.voice_clone": ("{stem}-{ext}", "{stem}-{ext}"),
    "deliver.text_to_speech": ("{stem}-{ext}", "{stem}-{ext}"), "deliver.mode": ("0640", 0o640),
    "deliver.owner": ("1000", 1000), "deliver.group": ("media", "media"), "deliver.min_free": ("2 GB", 2 * 10**9),
    "retry.give_up_after": ("1 day", 86400), "budget.per_job": ("1", 1), "budget.per_day": ("2", 2),
    "budget.per_month": ("3", 3), "budget.approve_above": ("4", 4), "budget.approve_mass": ("0", 0),
    "notify.urls": ('["json://h"]', ("json://h",)), "notify.on": ('["failed"]', ("failed",)), "state.path": ("/s", "/s"),
    "state.url": ("postgresql:///q", "postgresql:///q"), "log.level": ("debug", "debug"), "log.format": ("json", "json"),
}  # fmt: skip


def test_every_key_can_be_set_by_the_environment(write):
    assert {f"{section}.{key}" for section in Settings.model_fields for key in keys_of(section)} == {
        *ENVIRONMENT, "watch.extensions", *(f"library.{key}" for key in keys_of("library")),
        *(f"media_server.{key}" for key in keys_of("media_server")),
    }  # fmt: skip
    variables = {"QAVIX_WATCH_" + key.upper().replace(".", "__"): text for key, (text, _) in ENVIRONMENT.items()}
    more = {
        "QAVIX_WATCH_WATCH__EXTENSIONS__VIDEO": '["MP4", ".mkv"]',
        "QAVIX_WATCH_LIBRARY": '[{"path": "/m", "job": "subs en to es"}]',
        "QAVIX_WATCH_MEDIA_SERVER": '[{"kind": "plex", "url": "http://plex:32400/", "path_map": {"/m": "/data"}}]',
    }
    settings = load(write(""), HOME | variables | more)
    for key, (_, value) in ENVIRONMENT.items():
        section, name = key.split(".")
        assert getattr(getattr(settings, section), name) == value, key
    assert settings.watch.extensions.video == (".mp4", ".mkv")
    assert settings.library[0].path == "/m"
    assert settings.media_server[0].url == "http://plex:32400"


def test_an_empty_variable_counts_as_not_set(write):
    assert load(write("[watch]\nsettle = 3\n"), HOME | {"QAVIX_WATCH_WATCH__SETTLE": ""}).watch.settle == 3


def test_the_variables_of_kubernetes_are_not_taken_for_ours(write):
    kubernetes = {"QAVIX_WATCH_SERVICE_HOST": "10.0.0.1", "QAVIX_WATCH_PORT": "tcp://10.0.0.1:80", "QAVIX_WATCH_PORT_80_TCP": "x"}
    assert load(write(""), HOME | kubernetes).api.account == "default"


@pytest.mark.parametrize(
    ("variable", "mended"),
    [("QAVIX_WATCH_WATHC__SETTLE", "QAVIX_WATCH_WATCH__SETTLE"), ("QAVIX_WATCH_WATCH_SETTLE", "QAVIX_WATCH_WATCH__SETTLE")],
)
def test_a_variable_with_a_slip_is_refused_with_the_right_name(write, variable, mended):
    assert refused(write(""), {variable: "1"}) == f"unknown variable {variable} in the environment: did you mean {mended}?"


# ---- paths


def test_relative_paths_begin_at_the_file_and_those_of_variables_here(write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write('[folders]\nroot = "media"\noutbox = "../results"\narchive = "~/old"\n[state]\npath = "~/state.db"\n')
    settings = load(path, HOME | {"QAVIX_WATCH_API__KEY_FILE": "./key"})
    assert settings.folders.root == f"{tmp_path}/conf/media"
    assert settings.folders.inbox == f"{tmp_path}/conf/media/inbox"
    assert settings.folders.outbox == f"{tmp_path}/conf/results"
    assert settings.folders.archive == "/home/somebody/old"
    assert settings.state.path == "/home/somebody/state.db"
    assert settings.api.key_file == f"{tmp_path}/key"


def test_the_state_is_where_systemd_says_else_where_the_desktop_does(write):
    path = write("")
    assert load(path, HOME | {"STATE_DIRECTORY": "/var/lib/qw:/var/lib/b"}).state.path == "/var/lib/qw/state.db"
    assert load(path, HOME | {"XDG_STATE_HOME": "/xdg"}).state.path == "/xdg/qavix-watch/state.db"


@pytest.mark.parametrize(
    ("toml", "key", "outer"),
    [
        ('[folders]\ninbox = "."', "folders.outbox", "folders.inbox"),
        ('[folders]\noutbox = "inbox/../inbox/out"', "folders.outbox", "folders.inbox"),
        ('[folders]\noutbox = "//srv/out"\ninbox = "/srv/out/in"', "folders.inbox", "folders.outbox"),
        ('[folders]\ninbox = "archive/in"', "folders.inbox", "folders.archive"),
        ('[folders]\nfailed = "archive"', "folders.failed", "folders.archive"),
        ('[folders]\nroot = "/r"\n[[library]]\npath = "/r/films"\njob = "subs en to es"', "library.path", "folders.root"),
        ('[folders]\nroot = "/m/q"\n[[library]]\npath = "/m"\njob = "subs en to es"', "folders.root", "library.path"),
        ('[folders]\ninbox = "/m/in"\n[[library]]\npath = "/m"\njob = "subs en to es"', "folders.inbox", "library.path"),
        (
            '[[library]]\npath = "/m"\njob = "subs en to es"\n[[library]]\npath = "/m/n"\njob = "erase"',
            "library.path",
            "library.path",
        ),
        ('[folders]\nroot = "/r"\n[state]\npath = "/r/inbox/state.db"', "state.path", "folders.inbox"),
    ],
)
def test_a_path_inside_another_watched_path_is_refused(write, toml, key, outer):
    path = write(toml)
    message = refused(path)
    assert re.match(rf"`{key}` in {re.escape(path)}: (lies inside|is the same folder as) `{outer}`", message)


def test_neighbours_whose_names_begin_alike_are_apart(write):
    settings = load(write('[folders]\nroot = "/r"\noutbox = "inbox2"\n[[library]]\npath = "/root"\njob = "erase"\n'), HOME)
    assert settings.folders.outbox == "/r/inbox2"


# ---- what is refused, and how it is said


def test_the_order_of_a_library_is_read_from_the_start(write):
    path = write('[[library]]\npath = "/m"\njob = "dubb en to es"\n')
    assert refused(path) == (
        f"`library.job` in {path}: “dubb en to es” is no order: `dubb en to es` begins with no job; did you mean `dub en to es`?"
    )


def test_the_order_of_a_library_may_use_words_of_the_configuration(write):
    settings = load(write('[words]\ndub = ["doblar"]\n[[library]]\npath = "/m"\njob = "doblar en to es"\n'), HOME)
    assert settings.library[0].job == "doblar en to es"


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("[watch]\nsetle = 1", "unknown key `watch.setle` in FILE: did you mean `settle`?"),
        ("[wach]\nsettle = 1", "unknown key `wach` in FILE: did you mean `watch`?"),
        ("[watch]\nrate = 1", "unknown key `watch.rate` in FILE: did you mean `upload.rate`?"),
        ('[api.paths]\nget_tsk = "/x"', "unknown key `api.paths.get_tsk` in FILE: did you mean `get_task`?"),
        ('[words]\ndubb = ["x"]', "unknown key `words.dubb` in FILE: did you mean `dub`?"),
        ("[watch]\nextensions.vidoe = []", "unknown key `watch.extensions.vidoe` in FILE: did you mean `video`?"),
        (
            '[[library]]\npath = "/m"\njob = "x"\npackge = true',
            "unknown key `library.packge` (entry 1) in FILE: did you mean `package`?",
        ),
        ('[watch]\nsettle = "3 dys"', '`watch.settle` in FILE: "3 dys" is no duration; write seconds, or text with a unit'),
        ("[watch]\nsettle = true", "`watch.settle` in FILE: must be a number or text, not true or false"),
        ('[watch]\nmode = "sometimes"', '`watch.mode` in FILE: must be "auto", "events" or "poll"'),
        ('[upload]\nparallel = "2"', "`upload.parallel` in FILE: must be a whole number, not text"),
        ("[upload]\nparallel = 0", "`upload.parallel` in FILE: must be from 1 to 64"),
        ('[folders]\nprojects = "yes"', "`folders.projects` in FILE: must be true or false; write it without quotation marks"),
        ("[folders]\nroot = 5", "`folders.root` in FILE: must be text, not a number"),
        ('[folders]\ninbox = ""', "`folders.inbox` in FILE: must not be empty; leave the key out for its default"),
        ("watch = 3", "`watch` in FILE: must be a table"),
        ('[library]\npath = "/m"', "`library` in FILE: must be a list of tables; write [[library]] with two brackets"),
        ('[[library]]\npath = "/m"', "`library.job` (entry 1) in FILE: is missing"),
        ('[words]\nto = "nach"', "`words.to` in FILE: must be a list of texts, not text; write it like"),
        ('[words]\nto = ["dub"]', "`words.to` in FILE: `dub` in [words] is already a word of video translation"),
        ("[follow]\npoll_min = 10\npoll_max = 5", "`follow.poll_min` in FILE: is longer than `follow.poll_max`"),
        (
            '[web]\nlisten = "0.0.0.0:8420"',
            "`web.listen` in FILE: is open to other machines without a password; set `web.password_file`",
        ),
        ('[callback]\npublic_url = "http://h"', "`callback.public_url` in FILE: must be HTTPS"),
        ('[api]\npaths = {list_tasks = "tasks"}', "`api.paths.list_tasks` in FILE: is no path; begin it with one /"),
        ('[api]\npaths = {list_tasks = "//evil.example/x"}', "`api.paths.list_tasks` in FILE: is no path; begin it with one /"),
        (
            '[api]\npaths = {get_task = "/tasks"}',
            "`api.paths.get_task` in FILE: has the wrong places for values; write {task_id} once",
        ),
        ('[api]\naccount = ""', "`api.account` in FILE: must not be empty"),
        ('[api]\naccount = "a\\u0007"', "`api.account` in FILE: holds a control character"),
        ("[api]\ntimeout = 0", "`api.timeout` in FILE: must be longer than 0"),
        ('[deliver]\nlip_sync = "{stem}"', "`deliver.lip_sync` in FILE: must hold {stem} once and end with {ext}"),
        (
            '[deliver]\nlip_sync = "{stem}{lang}{ext}"',
            "`deliver.lip_sync` in FILE: holds the unknown placeholder {lang}; the known ones are {stem}",
        ),
        ('[deliver]\nlip_sync = "a/{stem}{ext}"', "`deliver.lip_sync` in FILE: holds a slash"),
        ('[deliver]\nlip_sync = ".{stem}{ext}"', "`deliver.lip_sync` in FILE: may begin only with a letter"),
        ('[deliver]\nlip_sync = "{stem!r}{ext}"', "`deliver.lip_sync` in FILE: has more than a name in its braces"),
        ('[deliver]\nlip_sync = "{stem{ext}"', "`deliver.lip_sync` in FILE: has "),
        ("[deliver]\nmode = 664", '`deliver.mode` in FILE: is no file mode; write it in octal, such as "0664"'),
        ('[notify]\non = ["always"]', '`notify.on` (entry 1) in FILE: must be "failed", "brake" or "done"'),
        ('[watch]\nignore = ["a/b"]', "`watch.ignore` in FILE: holds a pattern with a slash"),
    ],
)
def test_each_mistake_is_named_with_file_key_and_mend(write, toml, said):
    path = write(toml)
    assert refused(path).startswith(said.replace("FILE", path))


def test_all_problems_are_reported_one_to_a_line(write):
    path = write('[watch]\nsetle = 1\nmode = "x"\n[retry]\ngive_up_after = -1\n[folders]\nfailed = "archive"\n')
    lines = refused(path, {"QAVIX_WATCH_UPLOAD__PARALLEL": "many", "QAVIX_WATCH_WACH__X": "1"}).splitlines()
    assert len(lines) == 6
    assert any("`folders.failed` in " + path in line for line in lines)
    assert any("in QAVIX_WATCH_UPLOAD__PARALLEL: must be a whole number" in line for line in lines)
    assert any("`watch.mode` in " + path in line for line in lines)


def test_a_list_in_the_environment_has_to_be_json(write):
    environ = {"QAVIX_WATCH_WORDS__TO": "nach", "QAVIX_WATCH_LIBRARY": "[{", "QAVIX_WATCH_WATCH__IGNORE": "*.bak"}
    message = refused(write(""), environ)
    assert message.count("JSON") == 3
    assert "`watch.ignore` in QAVIX_WATCH_WATCH__IGNORE: must be a list" in message


@pytest.mark.parametrize(
    "toml",
    [
        f'[api]\nkey = "{PLANTED}"', f'[api]\napi_key = "{PLANTED}"', f'[api]\nkey_file = "{PLANTED}"',
        f'[api]\nkey_file = ["{PLANTED}"]',
        f'[api]\nbase_url = "https://{PLANTED}@qavixi.com"', f'[api]\nbase_url = "{PLANTED}"', f'[notify]\nurls = "{PLANTED}"',
        f'[notify]\nurls = [["{PLANTED}"]]', f'[state]\nurl = ["{PLANTED}"]', f'[media_server]\ntoken = "{PLANTED}"',
        f'[[media_server]]\nkind = "{PLANTED}"\nurl = "http://u:{PLANTED}@h"\ntoken = "{PLANTED}"', f'[api]\nkey = "{PLANTED}\n',
        f'[web]\npassword = "{PLANTED}"', f'[web]\nlisten = "{PLANTED}"', f'[callback]\npublic_url = "https://h/?token={PLANTED}"',
    ],
)  # fmt: skip
def test_what_may_be_a_secret_is_never_repeated(write, toml):
    assert PLANTED not in refused(write(toml))
    section, _, rest = toml.strip("[]").partition("]")
    key = rest.split("=")[0].strip("] \n")
    assert PLANTED not in refused(write("[watch]\nmode = 1"), {f"QAVIX_WATCH_{section}__{key}".upper(): PLANTED})


def test_a_key_in_the_file_is_answered_with_where_it_belongs(write):
    assert "QAVIX_API_KEY" in refused(write(f'[api]\nkey = "{PLANTED}"'))


# ---- the value that comes out


def test_settings_are_frozen(write):
    settings = load(write(""), HOME)
    with pytest.raises(ValidationError):
        settings.watch.settle = 5
    with pytest.raises(ValidationError):
        settings.log = None


def test_keys_that_are_set_and_not_acted_on_yet_are_named_once_each(write):
    text = """
        [web]
        listen = "127.0.0.1:1"
        [budget]
        per_day = 5
        [[library]]
        path = "/m"
        job = "subs en to es"
        [[library]]
        path = "/n"
        job = "subs en to es"
        [deliver]
        owner = "media"
        group = "media"
        [watch]
        extensions.video = [".mp4"]
    """
    settings = load(write(text), HOME | {"QAVIX_WATCH_BUDGET__PER_DAY": "6", "QAVIX_WATCH_NOTIFY__URLS": '["json://h"]'})
    assert sorted(settings.without_effect) == sorted(
        key
        for key in ("web.listen", "budget.per_day", "library.path", "library.job", "deliver.owner", "notify.urls")
        if key in NOT_YET or key.split(".")[0] in NOT_YET
    )


def test_everything_that_has_no_effect_yet_is_a_known_key():
    for key in NOT_YET:
        section, _, name = key.partition(".")
        assert section in Settings.model_fields
        assert not name or name in keys_of(section)


def test_the_page_may_be_open_to_others_with_a_password(write):
    settings = load(write('[web]\nlisten = "0.0.0.0:80"\npassword_file = "/p"\n'), HOME)
    assert settings.web.listen == Address("0.0.0.0", 80)


def test_templates_are_those_that_are_set(write):
    settings = load(write('[deliver]\nlip_sync = "{stem} synced{ext}"\n'), HOME)
    assert settings.deliver.templates == {"lip_sync": "{stem} synced{ext}"}


def test_urls_that_hold_secrets_are_not_in_the_repr(write):
    settings = load(write(f'[notify]\nurls = ["slack://{PLANTED}"]\n[state]\nurl = "postgresql://u:{PLANTED}@h/d"\n'), HOME)
    assert PLANTED not in repr(settings)


@pytest.mark.parametrize("variable", ["QAVIX_WATCH_WATCH__SETTLE", "QAVIX_WATCH_LOG__LEVEL", "QAVIX_WATCH_API__BASE_URL"])
def test_a_variable_that_is_not_utf_8_is_named(write, variable):
    said = refused(write(""), {variable: os.fsdecode(b"\x99caf\xe9")})
    assert variable in said
    assert said.isascii()
