import ArgumentParser
import Bundles
import Files
import Models
import SystemPackage

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The option of every command that reads a bundle for something else than to check it.
///
/// It is meant for each bundle that the command takes: the model, and every adapter on it.
struct SignatureOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Refuse the bundle unless this public key, or another given the same way, has signed it.",
      valueName: "key.pub"))
  var requireSignature: [FilePath] = []

  func keys() throws -> [VerifyingKey] {
    try requireSignature.map { try VerifyingKey(contentsOf: $0) }
  }

  /// Opens the model at `path` for a command that makes another of it.
  ///
  /// - Throws: a `FlareError` when it is no model, damaged, or not signed as is required.
  func open(_ path: FilePath) throws -> ModelFiles {
    try ModelFiles(wholeArgument: path, requiring: try keys())
  }
}

/// Options of the commands that run a model: what of a bundle is checked, and when.
struct TrustOptions: ParsableArguments {
  @Flag(
    help: ArgumentHelp(
      "Check every byte of a bundle: small files before the model runs, the weights beside it. "
        + "Damage ends the process with its place and exit code 65.",
      discussion: "--require-signature does so by itself."))
  var verify = false

  @OptionGroup var signature: SignatureOptions

  /// Opens the model at `path` as far as it is to be trusted.
  func open(_ path: FilePath) throws -> ModelFiles {
    let files = try ModelFiles(
      argument: path, requiring: try signature.keys(), checksFiles: verify)
    guard !verify || files.bundle != nil else {
      throw ValidationError(
        "'--verify' is for bundles, and \(path) is a \(files.form.rawValue), which has no hashes")
    }
    return files
  }

  /// Does `work` with a model while its weights are checked, and waits for the end of the check.
  ///
  /// - Throws: what `work` throws, or what is wrong with the weights.
  func checking<Result: ~Copyable>(
    _ files: ModelFiles, during work: () throws -> Result
  ) throws -> Result {
    guard let pieces = files.bundle?.pieces else { return try work() }
    let check = BackgroundVerification(of: pieces) { error in
      // At once, whatever is being computed from what is damaged.
      PendingOutputs.removeAll()
      standardError.write("flare: \(printable("\(error)"))\n")
      _exit(65)
    }
    defer { check.cancel() }
    let result = try work()
    try check.finish()
    return result
  }
}
