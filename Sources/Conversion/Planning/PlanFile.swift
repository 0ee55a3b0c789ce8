import Files
import JSON
import Models
import SystemPackage
import Tensors

/// The tensors of a plan that `--plan --json` printed, perhaps edited since: the type that each is to
/// have.
struct PlanFile: Sendable {
  static let format = "flare-plan"
  static let version = 1

  private struct Line {
    /// Nil when any will do.
    let shape: [Int]?
    let typeName: String
  }

  private let path: FilePath
  private let lines: [String: Line]

  /// - Throws: a `FlareError` when the file is no plan.
  init(_ path: FilePath) throws {
    self.path = path
    let json = try JSONValue(contentsOf: path)
    guard json["format"] == .string(Self.format), let tensors = json["tensors"]?.array else {
      throw ConversionError(
        .badInput, "\(path): is no plan of a conversion, which '--plan --json' prints")
    }
    guard json["version"] == .integer(Self.version) else {
      throw ConversionError(
        .badInput,
        "\(path): is a plan of version \(json["version"]?.shortDescription ?? "unknown"), expected "
          + "\(Self.version)")
    }
    var lines: [String: Line] = [:]
    for tensor in tensors {
      guard let name = tensor["name"]?.string, let typeName = tensor["to"]?.string,
        let shape = tensor["shape"]?.array?.compactMap(\.integer),
        shape.count == tensor["shape"]?.array?.count
      else {
        throw ConversionError(
          .badInput, "\(path): an entry of 'tensors' lacks 'name', 'shape' or 'to'")
      }
      guard lines.updateValue(Line(shape: shape, typeName: typeName), forKey: name) == nil else {
        throw ConversionError(.badInput, "\(path): plans the tensor '\(name)' twice")
      }
    }
    self.lines = lines
  }

  /// The types of a recipe.
  init(types: JSONObject) {
    path = "recipe"
    var lines: [String: Line] = [:]
    for (name, type) in types { lines[name] = Line(shape: nil, typeName: type.string ?? "") }
    self.lines = lines
  }

  /// The type of each tensor by name.
  var typeNames: JSONObject {
    JSONObject(lines.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value.typeName)) })
  }

  /// What the plan says of the tensors of a destination, by name; see `TensorTypeRules.choices`.
  func choices(
    for tensors: [TensorInfo], in form: ConversionRequest.Form
  ) throws(ConversionError) -> [String: TensorTypeChoice] {
    var choices: [String: TensorTypeChoice] = [:]
    for info in tensors {
      guard let line = lines[info.name] else {
        throw ConversionError(
          .badInput,
          "\(path): has no line for '\(info.name)'. Was it made for another model or another form?")
      }
      guard line.shape ?? info.shape.extents == info.shape.extents else {
        throw ConversionError(
          .badInput, "\(path): plans '\(info.name)' as \(line.shape ?? []), but it is \(info.shape)"
        )
      }
      let type = try elementType(named: line.typeName, for: info, in: form, "\(path)")
      choices[info.name] = TensorTypeChoice(type: type, reason: "plan file")
    }
    for extra in lines.keys.sorted() where choices[extra] == nil {
      // The factors of rope, which a GGUF file has and no model, are float32 and planned as that.
      if form == .gguf, extra == GGUFModelKeys.ropeFactors, lines[extra]?.typeName == "F32" {
        continue
      }
      throw ConversionError(
        .badInput, "\(path): plans '\(extra)', which the destination has not")
    }
    return choices
  }
}
