public import Bundles
public import Files
public import Kernels
public import SystemPackage
import Tensors

extension ModelFiles {
  /// The model that a delta makes of its base.
  ///
  /// - Parameters:
  ///   - keys: one of them has to have signed the delta; none to ask for no signature. The base needs
  ///     none, because the delta says which model it is.
  ///   - progress: told of bytes of weights that had to be read.
  /// - Throws: `ModelError` when it is no delta, or the base, or what comes out, is another model than
  ///   the delta says; `BundleError` when it is damaged or not signed so.
  public init(
    delta path: FilePath, on base: ModelFiles, requiring keys: [VerifyingKey] = [],
    with kernels: Kernels, progress: ByteProgress? = nil
  ) throws {
    // What is made of it gets hashes of its own, so nothing damaged may go in.
    let bundle = try Bundle(path, requiring: keys, checksFiles: true)
    try bundle.pieces?.checkAll()
    guard bundle.manifest.kind == .delta, let delta = bundle.manifest.delta,
      let expected = bundle.manifest.base
    else {
      throw ModelError(
        .identity,
        "\(path): is a bundle of the kind '\(bundle.manifest.kind.rawValue)', expected a delta")
    }
    let actual = try IdentityCache().identity(of: base, with: kernels, progress: progress)
    guard actual.fingerprint == expected.fingerprint else {
      throw ModelError(
        .identity,
        "\(path): was taken from '\(expected.name)' (\((expected.fingerprint ?? "").prefix(12))), and "
          + "\(base.path) is another model (\(actual.fingerprint.prefix(12)))")
    }
    try self.init(
      bundle, at: path,
      tensors: OverlaidTensors(
        base.tensors, bundle.tensors, removing: Set(delta.removedTensors)),
      base: base)
    let made = try ModelIdentity(of: self, with: kernels, progress: progress)
    guard made.fingerprint == delta.fingerprint else {
      throw ModelError(
        .identity,
        "\(path): makes a model of fingerprint \(made.fingerprint.prefix(12)), and says that it is "
          + "\(delta.fingerprint.prefix(12)). Was it damaged? 'flare verify' tells")
    }
  }
}
