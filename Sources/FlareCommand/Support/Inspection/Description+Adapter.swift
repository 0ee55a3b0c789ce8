import Adapters
import Bundles
import Conversion
import Files
import JSON
import Kernels
import Models
import SystemPackage
import Tensors

extension Description {
  /// What an adapter is, and what a merge would make of each of its modules.
  init(ofAdapter path: FilePath) throws {
    // For a look at an adapter the base's heads do not matter: they order the rows of B.
    let base = AdapterBase(
      architecture: nil, heads: AttentionHeadCounts(query: 1, keyValue: 1))
    let files = try AdapterFiles(path)
    let adapter = try files.adapter(for: base, with: Kernels(threadCount: 1))
    let ledger = MergePlan(try AdapterStack([AdapterStack.Member(adapter)])).ledger
    self.init(path, files.package == nil ? "adapter" : "adapter package")
    add("kind", adapter.kindText)
    if let manifest = files.package?.manifest {
      add("made for", manifest.base.map { "\($0.name)\($0.fingerprintText)" } ?? "any base")
      add("licence", manifest.license ?? "not stated")
    }
    add("layout", adapter.form.rawValue)
    if let base = adapter.baseModelName { add("trained on", base) }
    if let source = adapter.sourceText { add("source", source) }
    let ranks = Set(adapter.updates.map(\.rank)).sorted().map(String.init)
    add("rank", ranks.joined(separator: ", "))
    let scalings = Set(adapter.updates.map(\.scaling)).sorted().map { "\($0)" }
    add("scaling", scalings.joined(separator: ", "))
    add(
      "parameters", groupedText(adapter.parameterCount), json: .integer(adapter.parameterCount))
    let notes = adapter.notes
    if !notes.isEmpty {
      add(
        "note", notes.joined(separator: "; "), json: .array(notes.map { .string($0) }))
    }
    add(
      "modules", "\(adapter.updates.count)", json: .integer(adapter.updates.count))
    append(
      "ledger", LedgerText(ledger).text,
      json: .array(
        ledger.map { $0.json() }))
  }
}

extension Adapter {
  var kindText: String {
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

extension BundleManifest.Base {
  /// The beginning of the fingerprint, behind a name.
  var fingerprintText: String { fingerprint.map { " (\($0.prefix(12)))" } ?? "" }
}
