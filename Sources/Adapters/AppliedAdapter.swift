/// An adapter that a model on disk contains: in its weights, beside them, or both.
public struct AppliedAdapter: Sendable, Hashable {
  public let name: String
  /// `lora` or `flare`.
  public let kind: String
  /// The folder of its residue, relative to the model; nil when the weights say all.
  public let path: String?
  /// The modules whose weights contain the adapter, or its target half.
  public let mergedModules: [String]

  public init(name: String, kind: String, path: String?, mergedModules: [String]) {
    self.name = name
    self.kind = kind
    self.path = path
    self.mergedModules = mergedModules
  }
}

extension MergePlan {
  /// What a model made by this plan contains: what `earlier` merges left in its base, then the
  /// adapters of the plan.
  ///
  /// The plan's first parts are the residues that came with the base, in the order of `earlier`.
  ///
  /// - Returns: each adapter with the residue to be written at its path.
  public func appliedAdapters(
    after earlier: [AppliedAdapter]
  ) -> [(record: AppliedAdapter, residue: Adapter?)] {
    var ownParts = parts[...]
    var applied: [(AppliedAdapter, Adapter?)] = []
    func append(_ name: String, _ kind: String, _ merged: [String], _ residue: Adapter?) {
      let path = residue.map { _ in "adapters/\(applied.count)" }
      let record = AppliedAdapter(name: name, kind: kind, path: path, mergedModules: merged)
      applied.append((record, residue))
    }
    for adapter in earlier {
      let part = adapter.path == nil ? nil : ownParts.popFirst()
      let newlyMerged = (part?.mergedModules ?? []).filter { !adapter.mergedModules.contains($0) }
      append(adapter.name, adapter.kind, adapter.mergedModules + newlyMerged, part?.residue)
    }
    for part in ownParts {
      let kind = part.adapter.fusion == nil ? "lora" : "flare"
      append(part.adapter.name, kind, part.mergedModules, part.residue)
    }
    return applied
  }
}
