"""The flow, one file an arrow: drop → settle → fingerprint → order → upload → submit → follow → fetch → deliver → archive.

Each stage is `async def stage(ports, rules, hand) -> Outcome`; the worker alone records what it says.

Drops come from looks at the inbox (`drop`): what lies there (`scan`), what is still being copied (`arriving`), and what the state
makes of both (`inventory`).
"""
