import ArgumentParser
import Files
import JSON
import Models
import Registry
import Store
import SystemPackage

struct PullCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pull",
    abstract: "Fetch a bundle from a registry into the store.",
    discussion: """
      Files that the store has are not fetched again, and a pull that broke off goes on with the \
      next one. Every byte is checked, and a signature that is required, before anything gets its \
      name: the reference, which every command then takes for a model. \(RegistryOptions.credentialsHelp)

      EXAMPLE:
        flare pull registry.example/team/maya:int4
        flare run registry.example/team/maya:int4 -p "Di mana Maya tinggal?"
      """)

  @Argument(help: "HOST/NAME, then :TAG or @DIGEST; the tag 'latest' when there is neither.")
  var reference: String

  @Option(name: .shortAndLong, help: "Write a directory in place of storing the bundle.")
  var output: FilePath?

  @Flag(help: "Replace the model that is in the directory.")
  var overwrite = false

  @Flag(help: "Read files that are in the store through, and fetch those that are damaged again.")
  var check = false

  @OptionGroup var signature: SignatureOptions
  @OptionGroup var registry: RegistryOptions

  @Flag(help: "Print JSON.")
  var json = false

  func validate() throws {
    guard output == nil || !check else {
      throw ValidationError("'--check' is for the store, and files go to a directory")
    }
    guard output != nil || !overwrite else {
      throw ValidationError(
        "'--overwrite' is for a directory; in the store a pull always renews its name")
    }
    if let output, output.hasExtension("flare"), !output.isDirectory {
      throw ValidationError("'\(output)' would be a directory. 'flare pack' makes one file of it")
    }
  }

  func run() async throws {
    let reference = try RegistryReference(reference)
    let bar = TransferBar("Pulling")
    defer { bar.clear() }
    if let output {
      try await pull(reference, to: output, bar)
    } else {
      try await pull(reference, bar)
    }
  }

  private func pull(_ reference: RegistryReference, _ bar: TransferBar) async throws {
    let store = try Store.standard()
    // A key that cannot be read should not cost a download.
    let keys = try signature.keys()
    let stored = try await registry.withClient(for: reference) { client in
      try await store.pull(
        reference, with: client, requiring: keys, checksPresent: check, progress: bar.report,
        waiting: {
          standardError.write("flare: waiting for another pull into '\(store.path)'\n")
        })
    }
    bar.clear()
    report(
      StoreName(reference).description, stored.record.artifact, stored.record.byteCount,
      fetched: stored.fetchedByteCount, shared: stored.sharedByteCount,
      place: store.directory(of: stored.record))
    if stored.replaced {
      standardError.write("flare: the name stood for another bundle before\n")
    }
  }

  /// Fetches into a folder beside the directory, which stays when the pull breaks off.
  private func pull(
    _ reference: RegistryReference, to output: FilePath, _ bar: TransferBar
  ) async throws {
    if overwrite { try ModelFiles.checkReplaceable(output, asDirectory: true) }
    let keys = try signature.keys()
    let directory = try NewDirectory(output, mayReplace: overwrite)
    let store = try? Store.standard()
    let blobs = try BlobDirectory(output.pullFolder)
    let artifact = try await registry.withClient(for: reference) { client in
      try await client.pull(reference, into: blobs, have: { store?.blob($0) }, progress: bar.report)
    }
    bar.clear()
    try artifact.place(in: directory)
    try artifact.checkAgreement(
      in: directory.temporaryPath, from: reference.description, requiring: keys)
    try directory.commit()
    blobs.remove()
    let byteCount = artifact.files.reduce(0) { $0 + $1.entry.byteCount }
    let own = artifact.files.reduce(0) { sum, file in
      if case .own = file.source { sum + file.entry.byteCount } else { sum }
    }
    report(
      reference.description, artifact.digest, byteCount, fetched: artifact.fetchedByteCount,
      shared: own, place: output)
  }

  private func report(
    _ name: String, _ digest: ContentDigest?, _ byteCount: Int, fetched: Int, shared: Int,
    place: FilePath
  ) {
    if json {
      writeJSON([
        "reference": .string(name), "digest": .string(digest?.description ?? ""),
        "bytes": .integer(byteCount), "fetched_bytes": .integer(fetched),
        "shared_bytes": .integer(shared), "path": .string(place.string),
      ])
    } else {
      standardOutput.write(
        "pulled \(name), \(byteText(byteCount)): \(byteText(fetched)) fetched, "
          + "\(byteText(shared)) were in the store\n")
    }
  }
}

extension FilePath {
  /// Where a pull to this directory keeps what it has fetched so far.
  fileprivate var pullFolder: FilePath {
    let directory = lexicallyNormalized()
    return directory.removingLastComponent().appending(
      ".\(directory.lastComponent?.string ?? "bundle").pull")
  }
}
