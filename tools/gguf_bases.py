"""What every GGUF file of a base needs: metadata, a vocabulary of no meaning, the names of tensors."""

import math

import numpy as np

NAMES = {
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
}
NORMS = {
    "llama": {"post_attention_layernorm": "ffn_norm"},
    "gemma2": {
        "post_attention_layernorm": "post_attention_norm",
        "pre_feedforward_layernorm": "ffn_norm",
        "post_feedforward_layernorm": "post_ffw_norm",
    },
}


def rotary_factors(rope, head_dim):
    """What llama3 scaling divides each frequency by; llama.cpp reads it as a tensor."""
    old, low, high = (
        rope[key] for key in ["original_max_position_embeddings", "low_freq_factor", "high_freq_factor"]
    )
    factors = []
    for i in range(0, head_dim, 2):
        length = 2 * math.pi * rope["rope_theta"] ** (i / head_dim)
        smooth = min(1, max(0, (old / length - low) / (high - low)))
        factors.append(1 / ((1 - smooth) / rope["factor"] + smooth))
    return np.array(factors)


def add_metadata(writer, config, rope):
    """Everything llama.cpp wants to know of a model; `config` has the fields of transformers' configurations."""
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(rope["rope_theta"])
    writer.add_vocab_size(config.vocab_size)
    if config.model_type == "gemma2":
        writer.add_attn_logit_softcapping(config.attn_logit_softcapping)
        writer.add_final_logit_softcapping(config.final_logit_softcapping)
        writer.add_sliding_window(config.sliding_window)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    letters = [f"<0x{i:02X}>" for i in range(256)]
    tokens = (["<unk>", "<s>", "</s>"] + letters + [f"<{i}>" for i in range(config.vocab_size)])
    kinds = [2, 3, 3] + [6] * 256 + [1] * config.vocab_size
    writer.add_token_list(tokens[: config.vocab_size])
    writer.add_token_scores([0.0] * config.vocab_size)
    writer.add_token_types(kinds[: config.vocab_size])
