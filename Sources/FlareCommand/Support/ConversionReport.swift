import Adapters
import Conversion
import Files
import JSON
import SystemPackage
import Tensors

/// What a conversion did, for people and for programs.
struct ConversionReport {
  private let conversion: Conversion
  private let verification: MergeVerification?
  private let seconds: Double

  init(_ conversion: Conversion, _ verification: MergeVerification?, seconds: Double) {
    self.conversion = conversion
    self.verification = verification
    self.seconds = seconds
  }

  private var writtenByteCount: Int {
    conversion.destinations.reduce(0) { $0 + $1.treeByteCount }
  }

  var text: String {
    let ledger = LedgerText(conversion.mergePlan.ledger, conversion.measurements).text
    let types = TypeSummary(conversion.tensors.tensorInfos)
    let places = conversion.destinations
    let more = places.count > 1 ? " and \(places.count - 1) more" : ""
    let fields = [
      ("wrote", places.first.map { "\($0)\(more)" } ?? ""),
      ("weights", types.text),
      ("on disk", byteText(writtenByteCount)),
      ("time", durationText(seconds)),
    ]
    let tables = [ledger, RequantizationText(conversion.requantizations).text]
      .filter { !$0.isEmpty }.map { $0 + "\n" }
    return tables.joined() + fieldsText(fields) + (verification.map { "\n" + $0.text } ?? "")
  }

  var json: JSONValue {
    var document: JSONObject = [
      "destination": .string(conversion.request.destination.string),
      "form": .string(conversion.request.form.rawValue),
      "files": .array(conversion.destinations.map { .string($0.string) }),
      "bytes": .integer(writtenByteCount),
      "seconds": .number(seconds),
      "rounding": .string(conversion.request.merging.rounding.rawValue),
      "ledger": .array(conversion.ledgerJSON),
      "requantized": .array(conversion.requantizations.map(\.json)),
      "types": TypeSummary(conversion.tensors.tensorInfos).json,
    ]
    if let verification { document["verification"] = verification.json }
    return .object(document)
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

  /// Bytes in all: `1.2 MB, 4.62 bits a weight`.
  var sizeText: String {
    "\(byteText(byteCount)), \(bitsText(byteCount, elementCount)) bits a weight"
  }

  /// A line for each type.
  var table: String {
    var table = TextTable(header: ["type", "tensors", "weights", "bytes", "bits"], labelCount: 1)
    for type in types {
      table.add([
        "\(type.type)", "\(type.tensors)", groupedText(type.elements), groupedText(type.bytes),
        bitsText(type.bytes, type.elements),
      ])
    }
    return table.text
  }

  private func bitsText(_ bytes: Int, _ elements: Int) -> String {
    decimalText(elements == 0 ? 0 : Double(bytes) * 8 / Double(elements), 2)
  }

  /// Bytes in all and by type: `1.2 MB (int4 0.9 MB, F32 0.3 MB), 4.6 bits a weight`.
  var text: String {
    let parts = types.map { "\($0.type) \(byteText($0.bytes))" }.joined(separator: ", ")
    return "\(byteText(byteCount)) (\(parts)), \(bitsText(byteCount, elementCount)) bits a weight"
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
