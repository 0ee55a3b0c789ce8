public import Adapters
public import Bundles
import Files
import JSON
public import Kernels
public import SystemPackage
import Tensors
import WeightFiles

/// An adapter on disk: a directory or file in some layout, or a package that says which base it is for.
public struct AdapterFiles: Sendable {
  public let path: FilePath
  /// Present when the adapter is packaged; keeps its unpacked files alive.
  public let package: Bundle?

  /// The file of a package with the identity of the base, so that a mismatch can be explained.
  public static let baseIdentityName = "base-identity.json"

  /// Finds out what is at `path`.
  ///
  /// - Parameter keys: one of them has to have signed the adapter; none to ask for no signature.
  /// - Throws: a `FlareError` when it is a package of something else, malformed, or not signed so.
  public init(_ path: FilePath, requiring keys: [VerifyingKey] = []) throws {
    self.path = path
    guard path.exists, Bundle.isBundle(path) else {
      guard keys.isEmpty else {
        throw ModelError(
          .identity,
          "\(path): is no package, so it has no signature, and one is required. Pack the adapter with "
            + "'flare pack' and sign that")
      }
      package = nil
      return
    }
    // An adapter is read whole, so all of it is checked at once.
    let bundle = try Bundle(path, requiring: keys, checksFiles: true)
    try bundle.pieces?.checkAll()
    guard bundle.manifest.kind == .adapter else {
      throw ModelError(
        .identity,
        "\(path): is a bundle of the kind '\(bundle.manifest.kind.rawValue)', expected an adapter")
    }
    package = bundle
  }

  /// Reads the adapter.
  ///
  /// - Throws: a `FlareError` when it is malformed or does not fit the base.
  public func adapter(for base: AdapterBase?, with kernels: Kernels) throws -> Adapter {
    guard let package else { return try Adapter(path, for: base, with: kernels) }
    return try Adapter(package.filesDirectory, for: base, with: kernels)
      .named(package.manifest.adapters.first?.name, at: path)
  }

  /// How a model differs from the base that the adapter was packaged for, as a sentence; nil when it is
  /// that base, or the adapter is bound to none.
  ///
  /// - Parameters:
  ///   - identity: finds out which model it is; called only when there is something to compare.
  /// - Throws: what `identity` throws.
  public func mismatch(
    with model: ModelFiles, _ identity: () throws -> ModelIdentity?
  ) throws -> String? {
    guard let base = package?.manifest.base, let expected = base.fingerprint else { return nil }
    if let stated = model.statedFingerprints, !stated.isEmpty {
      if stated.contains(expected) { return nil }
      return "\(path): was made for '\(base.name)' (\(expected.prefix(12))), and \(model.path) was "
        + "made from another model (\(stated[0].prefix(12)))"
    }
    guard let actual = try identity() else {
      return
        "\(path): was made for '\(base.name)' (\(expected.prefix(12))), and \(model.path) does "
        + "not say which model it was quantized from"
    }
    if actual.fingerprint == expected { return nil }
    let difference = try baseIdentity()?.difference(of: actual)
    return
      "\(path): was made for '\(base.name)' (\(expected.prefix(12))), and \(model.path) is another "
      + "model (\(actual.fingerprint.prefix(12))): " + (difference ?? "its weights are others")
  }

  private func baseIdentity() throws -> ModelIdentity? {
    guard let file = package?.file(named: Self.baseIdentityName) else { return nil }
    return try ModelIdentity(try JSONValue(contentsOf: file), subject: "\(file)")
  }
}

extension ModelFiles {
  /// The models that this one says it is or was made from, by fingerprint; nil when its weights have to
  /// be looked at.
  public var statedFingerprints: [String]? {
    if let delta = bundle?.manifest.delta { return [delta.fingerprint] }
    if let base = bundle?.manifest.base?.fingerprint { return [base] }
    if let gguf, case .string(let base)? = gguf.checkpoint.metadata[GGUFModelKeys.baseFingerprint] {
      return [base]
    }
    return nil
  }

  /// Whether the weights are quantized, so that they have no identity of their own.
  public var isQuantized: Bool {
    tensors.tensorInfos.contains { $0.elementType.isQuantized }
  }
}
