import Adapters
import Conversion
import Files
import JSON
import SystemPackage
import Tensors

/// What a conversion did, for people and for programs.
struct ConversionReport {
  private let conversion: Conversion
  private let seconds: Double

  init(_ conversion: Conversion, seconds: Double) {
    self.conversion = conversion
    self.seconds = seconds
  }

  var text: String {
    let ledger = LedgerText(conversion.mergePlan.ledger).text
    let types = TypeSummary(conversion.tensors.tensorInfos)
    let fields = [
      ("wrote", "\(conversion.request.destination)"),
      ("weights", types.text),
      ("on disk", byteText(conversion.request.destination.treeByteCount)),
      ("time", durationText(seconds)),
    ]
    return (ledger.isEmpty ? "" : ledger + "\n") + fieldsText(fields)
  }

  var json: JSONValue {
    [
      "destination": .string(conversion.request.destination.string),
      "form": .string(conversion.request.form.rawValue),
      "bytes": .integer(conversion.request.destination.treeByteCount),
      "seconds": .number(seconds),
      "ledger": .array(conversion.mergePlan.ledger.map(\.json)),
      "types": TypeSummary(conversion.tensors.tensorInfos).json,
    ]
  }
}

/// The ledger of a merge with equal lines of different layers drawn together.
struct LedgerText {
  let text: String

  /// Lines that differ only in the number of their layer are one row.
  private struct Row: Hashable {
    let adapter: String
    let projection: String
    let disposition: MergePlan.Disposition
    let reason: String
  }

  init(_ ledger: [MergePlan.Entry]) {
    var counts: [Row: Int] = [:]
    var order: [Row] = []
    for entry in ledger {
      let row = Row(
        adapter: entry.adapter, projection: String(entry.module.split(separator: ".").last ?? ""),
        disposition: entry.disposition, reason: entry.reason)
      if counts[row] == nil { order.append(row) }
      counts[row, default: 0] += 1
    }
    guard !order.isEmpty else {
      text = ""
      return
    }
    var table = TextTable(header: ["adapter", "module", "count", "what became of it", "why"])
    for row in order {
      table.add([
        row.adapter, row.projection, "\(counts[row] ?? 0)", row.disposition.rawValue, row.reason,
      ])
    }
    text = table.text
  }
}

/// How many tensors and bytes there are of each element type.
struct TypeSummary {
  private var types: [(type: ElementType, tensors: Int, elements: Int, bytes: Int)] = []

  init(_ infos: [TensorInfo]) {
    for info in infos {
      let position = types.firstIndex { $0.type == info.elementType } ?? types.endIndex
      if position == types.endIndex { types.append((info.elementType, 0, 0, 0)) }
      types[position].tensors += 1
      types[position].elements += info.shape.elementCount
      types[position].bytes += info.byteCount
    }
    types.sort { $0.bytes > $1.bytes }
  }

  var elementCount: Int { types.reduce(0) { $0 + $1.elements } }

  var byteCount: Int { types.reduce(0) { $0 + $1.bytes } }

  /// Bytes in all and by type: `1.2 MB (int4 0.9 MB, F32 0.3 MB), 4.6 bits a weight`.
  var text: String {
    let parts = types.map { "\($0.type) \(byteText($0.bytes))" }.joined(separator: ", ")
    let bits = elementCount == 0 ? 0 : Double(byteCount) * 8 / Double(elementCount)
    return "\(byteText(byteCount)) (\(parts)), \(decimalText(bits, 2)) bits a weight"
  }

  var json: JSONValue {
    .array(
      types.map {
        [
          "type": .string($0.type.rawValue), "tensors": .integer($0.tensors),
          "elements": .integer($0.elements), "bytes": .integer($0.bytes),
        ]
      })
  }
}
