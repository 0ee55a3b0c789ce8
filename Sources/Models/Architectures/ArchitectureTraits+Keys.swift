/// Which keys of `config.json` say something.
///
/// A key that is in none of the lists and has a value is refused: nobody here knows whether it
/// changes a number.
extension ArchitectureTraits {
  /// Keys whose value `ModelConfiguration` uses.
  var honouredKeys: Set<String> { Self.sharedKeys.union(ownKeys) }

  static let sharedKeys: Set<String> = [
    "architectures", "bos_token_id", "eos_token_id", "head_dim", "hidden_size",
    "intermediate_size", "is_causal", "max_position_embeddings", "model_type",
    "num_attention_heads", "num_hidden_layers", "num_key_value_heads", "partial_rotary_factor",
    "rms_norm_eps", "rope_parameters", "rope_scaling",
    "rope_theta", "tie_word_embeddings", "vocab_size",
  ]

  /// Keys about training, storage and generation that change no logit.
  static let harmlessKeys: Set<String> = [
    "_attn_implementation", "_attn_implementation_autoset", "_flash_attn_2_enabled",
    "_name_or_path", "attention_dropout", "attn_implementation", "auto_map",
    "cache_implementation", "chunk_size_feed_forward", "do_sample", "dtype", "hidden_dropout",
    "hidden_dropout_prob", "id2label", "initializer_range", "is_decoder", "is_llama_config",
    "label2id", "max_length", "max_new_tokens", "max_sequence_length", "min_length",
    "model_max_length", "neftune_noise_alpha", "num_beams", "output_attentions",
    "output_hidden_states", "pad_token_id", "problem_type", "return_dict", "sep_token_id",
    "task_specific_params", "temperature", "tokenizer_class", "tokenizer_padding_side", "top_k",
    "top_p", "torch_dtype", "transformers.js_config", "transformers_version", "unsloth_fixed",
    "unsloth_version", "use_cache",
    // Splits one product into several with the same sum.
    "pretraining_tp",
    // Gemma 2's blocks read 'hidden_activation'; transformers ignores this key there.
    "hidden_act",
  ]
}
