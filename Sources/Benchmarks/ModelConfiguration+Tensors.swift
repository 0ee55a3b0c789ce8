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

  private var layerNorms: [String] {
    switch architecture {
    case .llama: ["input_layernorm", "post_attention_layernorm"]
    case .gemma2:
      [
        "input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm",
        "post_feedforward_layernorm",
      ]
    }
  }

  /// Every tensor of a checkpoint without biases, in BF16.
  package var tensorInfos: [TensorInfo] {
    var shapes: [(String, Shape)] = [("model.embed_tokens", [vocabularySize, hiddenSize])]
    for index in 0..<layerCount {
      shapes += linears(ofLayer: index)
      shapes += layerNorms.map { ("model.layers.\(index).\($0)", [hiddenSize]) }
    }
    shapes.append(("model.norm", [hiddenSize]))
    if !tiesWordEmbeddings { shapes.append(("lm_head", [vocabularySize, hiddenSize])) }
    return shapes.map { module, shape in
      TensorInfo(name: "\(module).weight", shape: shape, elementType: .bfloat16)
    }
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

  /// How many numbers a checkpoint without biases holds.
  package var parameterCount: Int { tensorInfos.reduce(0) { $0 + $1.shape.elementCount } }
}
