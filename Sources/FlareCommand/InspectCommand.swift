import Adapters
import ArgumentParser
import Bundles
import Conversion
import Files
import JSON
import Kernels
import Models
import SystemPackage
import Tensors

struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Say what a model, an adapter or a trainer's checkpoint is.",
    discussion: """
      Of an adapter it says what a merge would make of each module, before anyone waits for one.

      EXAMPLE:
        flare inspect samples/llama/base
        flare inspect samples/llama/flare-add_relu
      """)

  @Argument(help: "A model, an adapter, or a pickled checkpoint of FLARE's trainer.")
  var path: FilePath

  @Flag(help: "List every tensor.")
  var tensors = false

  @Flag(help: "Print JSON.")
  var json = false

  func run() throws {
    let description =
      if TrainerConversion.isPickled(path) {
        try describeCheckpoint()
      } else if AdapterConversion.isAdapter(path) {
        try describeAdapter()
      } else {
        try describeModel()
      }
    if json { writeJSON(description.json) } else { standardOutput.write(description.text) }
  }

  private func describeModel() throws -> Description {
    let files = try ModelFiles(path)
    files.warn()
    let configuration = try files.configuration()
    let infos = files.tensors.tensorInfos
    let types = TypeSummary(infos)
    var description = Description(path, files.form.rawValue)
    description.add("architecture", configuration.architecture.displayName)
    description.add(
      "parameters", groupedText(types.elementCount), json: .integer(types.elementCount))
    description.add("weights", types.text, json: types.json)
    description.add("shape", configuration.shapeText, json: configuration.shapeJSON)
    description.add("rope", configuration.ropeText)
    if let limits = configuration.limitsText { description.add("limits", limits) }
    description.add("embeddings", configuration.tiesWordEmbeddings ? "tied" : "untied")
    description.add(
      "tokenizer", files.tokenizerPath == nil ? "none" : "tokenizer.json")
    let kernels = try Kernels(threadCount: 1)
    let adapters = try files.adapterPaths.map { try Adapter($0, with: kernels) }
    let lines = adapters.map { "\($0.name): \($0.kindText)" }
    description.add(
      "adapters", lines.isEmpty ? "none" : lines.joined(separator: "; "),
      json: .array(lines.map { .string($0) }))
    if tensors { description.list(infos) }
    return description
  }

  private func describeAdapter() throws -> Description {
    // For a look at an adapter the base's heads do not matter: they order the rows of B.
    let base = AdapterBase(
      architecture: nil, heads: AttentionHeadCounts(query: 1, keyValue: 1))
    let adapter = try Adapter(path, for: base, with: Kernels(threadCount: 1))
    let ledger = MergePlan(try AdapterStack([AdapterStack.Member(adapter)])).ledger
    var description = Description(path, "adapter")
    description.add("kind", adapter.kindText)
    description.add("layout", adapter.form.rawValue)
    if let base = adapter.baseModelName { description.add("trained on", base) }
    if let source = adapter.sourceText { description.add("source", source) }
    let ranks = Set(adapter.updates.map(\.rank)).sorted().map(String.init)
    description.add("rank", ranks.joined(separator: ", "))
    let scalings = Set(adapter.updates.map(\.scaling)).sorted().map { "\($0)" }
    description.add("scaling", scalings.joined(separator: ", "))
    description.add(
      "parameters", groupedText(adapter.parameterCount), json: .integer(adapter.parameterCount))
    let notes = adapter.notes
    if !notes.isEmpty {
      description.add(
        "note", notes.joined(separator: "; "), json: .array(notes.map { .string($0) }))
    }
    description.add(
      "modules", "\(adapter.updates.count)", json: .integer(adapter.updates.count))
    description.append(
      "ledger", LedgerText(ledger).text,
      json: .array(
        ledger.map { $0.json() }))
    return description
  }

  private func describeCheckpoint() throws -> Description {
    let checkpoint = try TrainerCheckpoint(path, ignoresHeads: true)
    let types = TypeSummary(checkpoint.base.tensorInfos)
    var description = Description(path, "pickled checkpoint")
    description.add("base", types.text, json: types.json)
    if checkpoint.dequantizedCount > 0 {
      description.add(
        "from NF4", "\(checkpoint.dequantizedCount) weights",
        json: .integer(checkpoint.dequantizedCount))
    }
    for adapter in checkpoint.adapters {
      description.add(
        "adapter \(adapter.name)", "rank \(adapter.rank), \(adapter.modules.count) modules")
    }
    let heads = checkpoint.heads.map { "\($0.name) \($0.shape)" }
    if !heads.isEmpty {
      description.add(
        "no part of it", heads.joined(separator: ", "), json: .array(heads.map { .string($0) }))
    }
    description.add("next", "flare convert splits it into a base and its adapters")
    if tensors { description.list(checkpoint.base.tensorInfos) }
    return description
  }
}

/// Labelled facts that print as lines or as JSON.
private struct Description {
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

extension Adapter {
  fileprivate var kindText: String {
    switch (isResidue, fusion) {
    case (true, let fusion?): "what a merge left of a FLARE adapter (\(fusion.rawValue))"
    case (true, nil): "what a merge left of an adapter"
    case (false, let fusion?): "FLARE, \(fusion.rawValue): q and v fuse with a source"
    case (false, nil): "LoRA" + (extras.isEmpty ? "" : " with " + extras.joined(separator: ", "))
    }
  }

  /// What a LoRA may have beside its pairs.
  private var extras: [String] {
    var extras: [String] = []
    if updates.contains(where: { $0.magnitude != nil }) { extras.append("DoRA") }
    if updates.contains(where: { $0.outputBias != nil }) { extras.append("biases of its own") }
    let origins = Set(replacements.map(\.origin))
    extras += origins.map(\.rawValue).sorted()
    return extras
  }

  /// What a FLARE adapter reads, and how it is aligned.
  fileprivate var sourceText: String? {
    guard fusion != nil else { return nil }
    let kind = sourceProjection.map { "encoder states of width \($0.encoderSize)" } ?? "a text"
    return "\(kind), aligned \(sourceAlignment.rawValue)"
  }

  fileprivate var parameterCount: Int {
    let pairs = updates.reduce(0) { $0 + $1.parameterCount }
    let projection = sourceProjection.map {
      $0.weight.shape.elementCount + $0.bias.shape.elementCount
    }
    return replacements.reduce(pairs + (projection ?? 0)) { $0 + $1.tensor.shape.elementCount }
  }
}

extension ModelConfiguration {
  fileprivate var shapeText: String {
    "\(layerCount) layers, hidden \(hiddenSize), MLP \(intermediateSize), "
      + "\(attentionHeadCount) heads of \(headDimension) (\(keyValueHeadCount) for keys), "
      + "vocabulary \(vocabularySize)"
  }

  fileprivate var shapeJSON: JSONValue {
    [
      "num_hidden_layers": .integer(layerCount), "hidden_size": .integer(hiddenSize),
      "intermediate_size": .integer(intermediateSize),
      "num_attention_heads": .integer(attentionHeadCount),
      "num_key_value_heads": .integer(keyValueHeadCount), "head_dim": .integer(headDimension),
      "vocab_size": .integer(vocabularySize),
    ]
  }

  fileprivate var ropeText: String {
    guard let localRope else { return rope.text }
    return "\(rope.text); with a window \(localRope.text)"
  }

  /// Norms of heads, soft caps and windows, which only some architectures have.
  fileprivate var limitsText: String? {
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
  fileprivate var text: String {
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
