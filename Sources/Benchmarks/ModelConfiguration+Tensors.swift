package import Kernels
package import Models
package import Tensors

/// What a checkpoint of each architecture holds.
extension ModelConfiguration {
  /// The linear layers of layer `index`: module and `[outputs, inputs]`.
  package func linears(ofLayer index: Int) -> [(module: String, shape: Shape)] {
    let layer = "model.layers.\(index)"
    return [
      ("\(layer).self_attn.q_proj", [queryWidth, hiddenSize]),
      ("\(layer).self_attn.k_proj", [keyValueWidth, hiddenSize]),
      ("\(layer).self_attn.v_proj", [keyValueWidth, hiddenSize]),
      ("\(layer).self_attn.o_proj", [hiddenSize, queryWidth]),
      ("\(layer).mlp.gate_proj", [intermediateSize, hiddenSize]),
      ("\(layer).mlp.up_proj", [intermediateSize, hiddenSize]),
      ("\(layer).mlp.down_proj", [hiddenSize, intermediateSize]),
    ]
  }

  /// The norms of a layer: module and `[columns]`.
  private var layerNorms: [(module: String, shape: Shape)] {
    var norms = ["input_layernorm", "post_attention_layernorm"]
    switch architecture {
    case .llama, .mistral, .qwen2, .qwen3, .gemma: break
    case .gemma2, .gemma3: norms += ["pre_feedforward_layernorm", "post_feedforward_layernorm"]
    }
    let heads = hasQueryKeyNorms ? ["self_attn.q_norm", "self_attn.k_norm"] : []
    return norms.map { ($0, [hiddenSize]) } + heads.map { ($0, [headDimension]) }
  }

  /// Whether a linear layer has a bias.
  private func hasBias(_ module: String) -> Bool {
    if module.contains(".mlp.") { return hasMLPBias }
    return module.hasSuffix(".o_proj") ? hasAttentionOutputBias : hasQueryKeyValueBias
  }

  /// Every tensor of a checkpoint, in BF16.
  package var tensorInfos: [TensorInfo] {
    func info(_ name: String, _ shape: Shape) -> TensorInfo {
      TensorInfo(name: name, shape: shape, elementType: .bfloat16)
    }
    var infos = [info("model.embed_tokens.weight", [vocabularySize, hiddenSize])]
    for index in 0..<layerCount {
      for (module, shape) in linears(ofLayer: index) {
        infos.append(info("\(module).weight", shape))
        if hasBias(module) { infos.append(info("\(module).bias", [shape[0]])) }
      }
      for (module, shape) in layerNorms {
        infos.append(info("model.layers.\(index).\(module).weight", shape))
      }
    }
    infos.append(info("model.norm.weight", [hiddenSize]))
    if !tiesWordEmbeddings { infos.append(info("lm_head.weight", [vocabularySize, hiddenSize])) }
    return infos
  }

  /// Bytes of the keys and values that a token behind so many positions sees.
  package func keyValueByteCount(seenAt positions: Int, _ type: KeyValueType) -> Int {
    slidingWindows.reduce(0) { sum, window in
      sum
        + KeyValueCache.byteCount(
          capacity: min(positions, window ?? .max), headCount: keyValueHeadCount,
          headDimension: headDimension, window: nil, type: type)
    }
  }

  /// How many numbers a checkpoint holds.
  package var parameterCount: Int { tensorInfos.reduce(0) { $0 + $1.shape.elementCount } }
}
