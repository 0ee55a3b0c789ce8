import Adapters
import Bundles

extension MergePlan {
  /// What a model made by this plan contains: what `earlier` merges left in its base, then the
  /// adapters of the plan.
  ///
  /// The plan's first parts are the residues that came with the base, in the order of `earlier`.
  ///
  /// - Returns: each adapter with the residue to be written at its path.
  func appliedAdapters(
    after earlier: [BundleManifest.Adapter]
  ) -> [(record: BundleManifest.Adapter, residue: Adapter?)] {
    var ownParts = parts[...]
    var applied: [(BundleManifest.Adapter, Adapter?)] = []
    func append(_ name: String, _ kind: String, _ merged: [String], _ residue: Adapter?) {
      // Numbered and not named: a name may be anything, a path may not.
      let path = residue.map { _ in "adapters/\(applied.count)" }
      let record = BundleManifest.Adapter(
        name: name, kind: kind, path: path, mergedModules: merged)
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
