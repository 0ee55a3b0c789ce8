import ArgumentParser
import Bundles
import Files
import JSON
import Kernels
import Registry
import Store
import SystemPackage

struct PushCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "push",
    abstract: "Push a bundle to a registry of container images.",
    discussion: """
      Every file is a layer of an OCI artifact; files that the repository has are not sent again, so \
      a push that broke off is simply repeated. Files that are no weights are compressed where that \
      saves a tenth. Every byte is checked before the first is sent. \
      \(RegistryOptions.credentialsHelp)

      EXAMPLE:
        flare push model.flare registry.example/team/maya:int4
      """)

  @Argument(
    help: "A bundle directory, a .flare file or a name in the store.", completion: .file(),
    transform: FilePath.pathOrName)
  var bundle: FilePath

  @Argument(help: "Where to: HOST/NAME, and :TAG unless it is 'latest'.")
  var reference: String

  @OptionGroup var registry: RegistryOptions

  @Flag(help: "Print JSON.")
  var json = false

  func run() async throws {
    let reference = try RegistryReference(reference)
    guard bundle.exists else { throw FileError(.notFound, bundle) }
    guard bundle.isRegularFile else { return try await push(bundle, to: reference) }
    let folder = try TemporaryDirectory()
    let unpacked = folder.path.appending("bundle")
    let bar = ProgressBar("Unpacking", total: bundle.treeByteCount, unit: .bytes)
    try bar.during {
      try Bundle.unpack(bundle, to: unpacked, workerCount: ThreadPool.coreCount) {
        bar.advance(by: $0)
      }
    }
    try await push(unpacked, to: reference)
    withExtendedLifetime(folder) {}
  }

  private func push(_ directory: FilePath, to reference: RegistryReference) async throws {
    let files = try BundleFiles(directory)
    let checking = ProgressBar("Checking", total: directory.treeByteCount, unit: .bytes)
    try checking.during { try files.verify { checking.advance(by: $0) } }
    let bar = TransferBar("Pushing")
    defer { bar.clear() }
    let artifact = try await registry.withClient(for: reference) { client in
      try await client.push(
        files.artifactFiles, configuration: files.configuration, to: reference,
        progress: bar.report)
    }
    bar.clear()
    let byteCount = files.files.reduce(0) { $0 + $1.byteCount }
    let (sent, saved) = (artifact.sentByteCount, artifact.savedByteCount)
    if json {
      writeJSON([
        "reference": .string(reference.description),
        "digest": .string(artifact.digest.description), "bytes": .integer(byteCount),
        "sent_bytes": .integer(sent), "saved_bytes": .integer(saved),
      ])
    } else {
      standardOutput.write(
        """
        pushed \(reference), \(byteText(byteCount)): \(byteText(sent)) sent, \
        \(saved == 0 ? "" : "\(byteText(saved)) saved by compression, ")\
        \(byteText(byteCount - sent - saved)) were there
        \(reference.pinned(to: artifact.digest))

        """)
    }
  }
}
