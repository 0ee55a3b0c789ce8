import AsyncHTTPClient
import NIOCore
import NIOHTTP1

extension RegistryClient {
  /// The manifest of an artifact and its digest.
  ///
  /// - Throws: `RegistryError` when there is none, it is not what its digest says, or it is not the
  ///   manifest of a ModelPack artifact.
  public func fetchManifest(
    _ reference: RegistryReference, progress: TransferProgress? = nil
  ) async throws -> (manifest: ArtifactManifest, digest: ContentDigest) {
    let subject = reference.description
    let request = RegistryRequest(
      .GET, try reference.url("manifests/\(reference.version)", configuration), subject: subject,
      // The other kinds are asked for so that an error can say what is there.
      headers: [
        "Accept": """
        \(OCI.manifestMediaType), \(OCI.indexMediaType), \
        application/vnd.docker.distribution.manifest.v2+json, \
        application/vnd.docker.distribution.manifest.list.v2+json
        """
      ],
      access: reference.access(mayPush: false))
    let (text, stated) = try await exchange(request, accepting: [200], progress: progress) {
      let text = try await $0.bytes(upTo: ArtifactManifest.maximumByteCount, about: subject)
      return (text, $0.headers.first(name: "Docker-Content-Digest"))
    }
    let digest = ContentDigest(of: text)
    if case .digest(let asked) = reference.version, asked != digest {
      throw RegistryError(
        .digestMismatch, subject, "the registry sent another manifest, whose digest is \(digest)")
    }
    try check(stated, is: digest, about: subject)
    return (try ArtifactManifest(parsing: text, from: subject), digest)
  }

  /// Puts a manifest under a tag, or under its digest alone; its blobs must be there already.
  ///
  /// - Throws: `RegistryError` when the registry does not take it.
  func pushManifest(
    _ manifest: ArtifactManifest, to reference: RegistryReference, progress: TransferProgress?
  ) async throws {
    let text = manifest.text
    let subject = reference.description
    let request = RegistryRequest(
      .PUT, try reference.url("manifests/\(reference.version)", configuration), subject: subject,
      headers: ["Content-Type": OCI.manifestMediaType], access: reference.access(mayPush: true),
      body: { .bytes(ByteBuffer(string: text)) })
    let stated = try await exchange(request, accepting: [201], progress: progress) { response in
      try await response.discardBody()
      return response.headers.first(name: "Docker-Content-Digest")
    }
    try check(stated, is: manifest.digest, about: subject)
  }

  /// Checks what the registry calls a manifest, when it says so.
  private func check(
    _ stated: String?, is digest: ContentDigest, about subject: String
  ) throws(RegistryError) {
    guard let stated, stated.hasPrefix("sha256:"), stated != digest.description else { return }
    throw RegistryError(
      .digestMismatch, subject,
      "the registry says that its digest is \(stated.inMessage), it is \(digest)")
  }
}

extension ArtifactManifest {
  var digest: ContentDigest { ContentDigest(of: Array(text.utf8)) }
}
