import JSON
import SystemPackage
import Tensors

/// Labelled facts that print as lines or as JSON.
struct Description {
  private let path: FilePath
  private let form: String
  private var fields: [(label: String, value: String)] = []
  private var jsonFields: [(String, JSONValue)] = []
  private var tables = ""

  init(_ path: FilePath, _ form: String) {
    self.path = path
    self.form = form
  }

  mutating func add(_ label: String, _ value: String, json: JSONValue? = nil) {
    fields.append((label, value))
    jsonFields.append((label.replacing(" ", with: "_"), json ?? .string(value)))
  }

  /// Adds a table below the lines.
  mutating func append(_ label: String, _ table: String, json: JSONValue) {
    tables += "\n" + table
    jsonFields.append((label, json))
  }

  mutating func list(_ infos: [TensorInfo]) {
    var table = TextTable(header: ["tensor", "type", "shape", "bytes"])
    for info in infos {
      table.add([
        info.name, "\(info.elementType)", "\(info.shape)", groupedText(info.byteCount),
      ])
    }
    append(
      "tensors", table.text,
      json: .array(
        infos.map { info in
          [
            "name": .string(info.name), "type": .string(info.elementType.rawValue),
            "shape": .array(info.shape.extents.map { .integer($0) }),
            "bytes": .integer(info.byteCount),
          ]
        }))
  }

  var text: String { "\(printable(path.string)): \(form)\n\n" + fieldsText(fields) + tables }

  var json: JSONValue {
    .object(JSONObject([("path", .string(path.string)), ("form", .string(form))] + jsonFields))
  }
}
