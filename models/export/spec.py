"""The numbers of a checkpoint that the graphs need, read from `config.json` in either spelling.

Published files write `global_head_dim` and `num_global_key_value_heads`; transformers 5.23 saves `per_layer_config`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TextSpec:
    """The text decoder. Per-layer tuples have one entry per layer.

    `image_blocks`: the tokens of one image see each other on sliding layers. `experts` is 0 without a mixture.
    """

    hidden: int
    vocab: int
    layers: int
    heads: int
    kv_heads: tuple[int, ...]
    head_dim: tuple[int, ...]
    full: tuple[bool, ...]
    kv_source: tuple[int, ...]
    window: int
    per_layer_width: int
    k_eq_v: bool
    eps: float
    softcap: float | None
    context: int
    rope: dict
    pad_id: int
    media_ids: tuple[int, ...]
    image_blocks: bool
    tied: bool
    experts: int
    experts_per_token: int

    @property
    def cache_layers(self) -> list[int]:
        """Layers that own a key/value cache, in order."""
        return [i for i in range(self.layers) if self.kv_source[i] == i]


def layer_override(text: dict, index: int, key: str):
    """`per_layer_config[index][key]`, whatever the key type, or None."""
    table = text.get("per_layer_config") or {}
    entry = table.get(str(index)) or table.get(index) or {}
    return entry.get(key)


def head_dims(text: dict) -> tuple[int, ...]:
    """Head width of every layer."""
    wide = text.get("global_head_dim") or 512
    dims = []
    for index, kind in enumerate(text["layer_types"]):
        own = layer_override(text, index, "head_dim")
        default = wide if kind == "full_attention" and not text.get("per_layer_config") else text["head_dim"]
        dims.append(own or default)
    return tuple(dims)


def kv_heads(text: dict) -> tuple[int, ...]:
    """Key/value heads of every layer. The global override counts only with `attention_k_eq_v`."""
    wide = text.get("num_global_key_value_heads") if text.get("attention_k_eq_v") else None
    heads = []
    for index, kind in enumerate(text["layer_types"]):
        own = layer_override(text, index, "num_key_value_heads")
        default = wide if kind == "full_attention" and wide else text["num_key_value_heads"]
        heads.append(own or default)
    return tuple(heads)


def kv_sources(text: dict) -> tuple[int, ...]:
    """For every layer the layer whose keys and values it reads: itself, or the last unshared one of its kind."""
    kinds = text["layer_types"]
    first_shared = len(kinds) - text.get("num_kv_shared_layers", 0)
    sources = []
    for index, kind in enumerate(kinds):
        same = [i for i in range(first_shared) if kinds[i] == kind]
        sources.append(index if index < first_shared else same[-1])
    return tuple(sources)


def check(text: dict) -> None:
    """Raises for what the graphs could not compute."""
    expected = {
        "use_bidirectional_attention": (None, "vision"), "attention_bias": (None, False),
        "hidden_activation": (None, "gelu_pytorch_tanh"),
    }
    for key, allowed in expected.items():
        if text.get(key) not in allowed:
            raise ValueError(f"text_config.{key}: expected one of {allowed}, found {text[key]!r}")


def text_spec(config: dict) -> TextSpec:
    """Reads `config.json` of a whole model (`text_config` inside)."""
    text = config["text_config"]
    check(text)
    named = (config.get(key) for key in ("image_token_id", "audio_token_id", "video_token_id"))
    media = tuple(number for number in named if number is not None)
    has_experts = bool(text.get("enable_moe_block"))
    return TextSpec(
        hidden=text["hidden_size"], vocab=text["vocab_size"], layers=text["num_hidden_layers"],
        heads=text["num_attention_heads"], kv_heads=kv_heads(text), head_dim=head_dims(text),
        full=tuple(kind == "full_attention" for kind in text["layer_types"]), kv_source=kv_sources(text),
        window=text["sliding_window"], per_layer_width=text.get("hidden_size_per_layer_input") or 0,
        k_eq_v=bool(text.get("attention_k_eq_v")), eps=text["rms_norm_eps"],
        softcap=text.get("final_logit_softcapping"), context=text["max_position_embeddings"],
        rope=text["rope_parameters"], pad_id=text["pad_token_id"], media_ids=media,
        image_blocks=text.get("use_bidirectional_attention") == "vision",
        tied=config.get("tie_word_embeddings", text.get("tie_word_embeddings", True)),
        experts=text["num_experts"] if has_experts else 0,
        experts_per_token=text["top_k_experts"] if has_experts else 0,
    )
