"""The sixteen operations of the contract, where they live, and the names of everything else that is served.

Source: contract, `paths`. The names are those that fault rules and `/control/requests` use.
"""

from __future__ import annotations

BASE_PATH = "/qavix"

OPERATIONS: dict[str, tuple[str, str]] = {
    "get_balance": ("GET", "/account/balance"),
    "usage_history": ("GET", "/account/usage"),
    "pricing": ("GET", "/account/pricing"),
    "get_task": ("GET", "/tasks/{task_id}"),
    "list_tasks": ("GET", "/tasks"),
    "video_translation": ("POST", "/videos/translation"),
    "smart_eraser": ("POST", "/videos/smart-eraser"),
    "subtitle_translation": ("POST", "/videos/subtitle-translation"),
    "face_swap": ("POST", "/videos/face-swap"),
    "lip_sync": ("POST", "/videos/lip-sync"),
    "voice_clone": ("POST", "/audio/voice-clone"),
    "text_to_speech": ("POST", "/audio/text-to-speech"),
    "list_voices": ("GET", "/voices"),
    "get_upload_url": ("POST", "/files/upload-url"),
    "confirm_upload": ("POST", "/files/confirm"),
    "refresh_url": ("POST", "/files/refresh-url"),
}
TASK_TYPES = (
    "video_translation",
    "lip_sync",
    "smart_erasure",
    "subtitle_translation",
    "face_swap",
    "voice_clone",
    "text_to_speech",
)
TASK_STATUSES = ("pending", "processing", "completed", "failed")

# What is served beside the API, and the two things that are not requests but can be disturbed by fault rules.
OTHER_NAMES = ("storage_put", "storage_get", "result_get", "control", "unknown", "task", "callback")

_FIXED = {(method, BASE_PATH + path): name for name, (method, path) in OPERATIONS.items() if "{" not in path}
_ONE_TASK = BASE_PATH + "/tasks/"


def operation_of(method: str, path: str) -> str:
    """The name of what a request asks for; "unknown" for a wrong path or method."""
    method = "GET" if method == "HEAD" else method
    if path.startswith("/control/"):
        return "control"
    if path.startswith("/storage/"):
        return {"PUT": "storage_put", "GET": "storage_get"}.get(method, "unknown")
    if path.startswith("/results/"):
        return "result_get" if method == "GET" else "unknown"
    if method == "GET" and path.startswith(_ONE_TASK) and "/" not in path[len(_ONE_TASK) :]:
        return "get_task"
    return _FIXED.get((method, path), "unknown")
