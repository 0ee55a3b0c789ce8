import Conversion
import Files
import JSON
import Quantization
import SystemPackage
import Tensors

/// What became of quantized tensors that were merged into, equal lines of different layers together.
struct RequantizationText {
  let text: String

  private struct Row: Hashable {
    let module: String
    let types: String
  }

  init(_ requantizations: [Requantization]) {
    var survivals: [Row: [Double]] = [:]
    var order: [Row] = []
    for entry in requantizations {
      let module = entry.name.split(separator: ".").dropLast().last ?? ""
      let types =
        entry.oldType == entry.newType
        ? "\(entry.newType)" : "\(entry.oldType) raised to \(entry.newType)"
      let row = Row(module: String(module), types: types)
      if survivals[row] == nil { order.append(row) }
      survivals[row, default: []].append(entry.survival)
    }
    guard !order.isEmpty else {
      text = ""
      return
    }
    var table = TextTable(header: ["module", "count", "type", "of the delta survives"])
    for row in order {
      let shares = survivals[row] ?? []
      let (low, high) = (shares.min() ?? 0, shares.max() ?? 0)
      table.add([
        row.module, "\(shares.count)", row.types,
        "\(decimalText(low * 100, 1)) to \(decimalText(high * 100, 1)) %",
      ])
    }
    text = table.text
  }
}

extension Requantization {
  var json: JSONValue {
    [
      "tensor": .string(name), "old_type": .string(oldType.rawValue),
      "new_type": .string(newType.rawValue), "survival": .number(survival),
      "noise": .number(noise),
    ]
  }
}

extension MergeVerification {
  var text: String {
    var table = TextTable(header: ["against base + adapters", "max |Δlogit|", "KL", "same top 1"])
    for (label, difference) in [("merged", merged), ("base alone", effect)] {
      table.add([
        label, scientificText(Double(difference.largest)), scientificText(difference.divergence),
        "\(decimalText(difference.agreement * 100, 1)) %",
      ])
    }
    return table.text
  }

  /// - Throws: `VerificationError` when the merged model does not do what the adapters do.
  func check(_ destination: FilePath) throws(VerificationError) {
    guard !isSound else { return }
    let detail =
      effect.largest == 0
      ? "the adapters change no logit, so there was nothing to merge"
      : "the merge lost too much: its KL from the adapters is over a tenth of what they do. "
        + "Merge into the unquantized model, with --dtype f32 if its weights are rounded"
    throw VerificationError(description: "\(destination): \(detail). The result was left in place")
  }
}

/// A merge that did not prove itself.
struct VerificationError: FlareError {
  let description: String
  var kind: FailureKind { .badInput }
}
