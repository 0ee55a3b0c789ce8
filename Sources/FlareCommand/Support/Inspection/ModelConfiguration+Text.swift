import JSON
import Models

extension ModelConfiguration {
  var shapeText: String {
    "\(layerCount) layers, hidden \(hiddenSize), MLP \(intermediateSize), "
      + "\(attentionHeadCount) heads of \(headDimension) (\(keyValueHeadCount) for keys), "
      + "vocabulary \(vocabularySize)"
  }

  var shapeJSON: JSONValue {
    [
      "num_hidden_layers": .integer(layerCount), "hidden_size": .integer(hiddenSize),
      "intermediate_size": .integer(intermediateSize),
      "num_attention_heads": .integer(attentionHeadCount),
      "num_key_value_heads": .integer(keyValueHeadCount), "head_dim": .integer(headDimension),
      "vocab_size": .integer(vocabularySize),
    ]
  }

  var ropeText: String {
    guard let localRope else { return rope.text }
    return "\(rope.text); with a window \(localRope.text)"
  }

  /// Norms of heads, soft caps and windows, which only some architectures have.
  var attentionText: String? {
    var parts = hasQueryKeyNorms ? ["query and key norms"] : []
    if let attentionSoftCap { parts.append("attention soft cap \(attentionSoftCap)") }
    if let finalSoftCap { parts.append("logit soft cap \(finalSoftCap)") }
    let windows = slidingWindows.compactMap(\.self)
    if let window = windows.first {
      parts.append("window \(window) on \(windows.count) of \(layerCount) layers")
    }
    return parts.isEmpty ? nil : parts.joined(separator: ", ")
  }
}

extension RotaryEmbedding {
  var text: String {
    switch scaling {
    case .none: "theta \(theta)"
    case .linear(let factor): "theta \(theta), linear, factor \(factor)"
    case .dynamic(let factor, let original):
      "theta \(theta), dynamic, factor \(factor) over \(Int(original)) positions"
    case .yarn(let yarn):
      "theta \(theta), yarn, factor \(yarn.factor) over \(Int(yarn.originalPositionCount)) "
        + "positions, attention factor \(Float(yarn.attentionFactor))"
    case .llama3(let factor, _, _, let original):
      "theta \(theta), llama3, factor \(factor) over \(Int(original)) positions"
    }
  }
}
