import Files
import JSON
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Bundles

/// A bundle that a Python program made from the text of `formats/bundle.md` alone.
struct GoldenBundleTests {
  private static let directory = Vectors.path("bundles/small")
  private static let archive = Vectors.path("bundles/small.flare")
  private static let key = Vectors.path("bundles/signer.pub")

  private static func pattern(_ count: Int) -> [UInt8] {
    (0..<count).map { UInt8($0 * 7 % 251) }
  }

  /// Writes the same bundle.
  private func write(to path: FilePath) throws {
    let base = try withTemporaryDirectory { directory in
      try directory.appending("base").overwrite("base")
      return try BundleManifest.File(
        hashing: directory.appending("base"), as: "model.safetensors")
    }
    var writer = try BundleWriter(path)
    for name in [
      "tokenizer.json", "LICENSE", "adapters/flare/adapter_config.json", "empty.txt",
      "\u{FC}ber/zulu.txt", "config.json", "chat_template.jinja",
    ] {
      try writer.addFile(name, copying: Self.directory.pushing(FilePath(name)))
    }
    try writer.addWeights(
      TensorTable([
        "model.norm.weight": Tensor(bytes: Self.pattern(16), shape: [4], elementType: .float32),
        "model.embed_tokens.weight": Tensor(
          bytes: Self.pattern(280_000), shape: [700, 100], elementType: .float32),
        "model.up_proj.weight": Tensor(
          bytes: Self.pattern(640), shape: [20, 32], elementType: .groupedInt4),
      ]))
    try writer.commit(
      BundleManifest(
        architecture: "llama", createdBy: "flare 1.0",
        quantization: .init(scheme: "search", elementType: .groupedInt4),
        base: .init(name: "tiny", files: [base]),
        adapters: [
          .init(name: "task", kind: "lora", path: nil, mergedModules: ["model.up_proj"]),
          .init(name: "flare", kind: "flare", path: "adapters/flare", mergedModules: []),
        ],
        recipe: ["options": ["rounding": "twice"]], license: "Apache-2.0"))
  }

  @Test func `what another program wrote is verified, in both forms`() throws {
    let signer = try VerifyingKey(contentsOf: Self.key)
    for bundle in [Self.directory, Self.archive] {
      let found = try Bundle.verify(bundle, requiring: [signer])
      #expect(found.signers == [signer])
      #expect(found.manifest.tree?.pieceByteCount == 262_144)
      let tensor = try Bundle(bundle).tensors.tensor(named: "model.up_proj.weight")
      #expect(tensor.byteArray == Self.pattern(640))
    }
    let pieces = try #require(try Bundle(Self.directory, requiring: [signer]).pieces)
    try pieces.checkAll()
    #expect(pieces.progress == (2, 2))
  }

  @Test func `the same inputs give the same bytes of every file, manifest and tree too`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("b")
      try write(to: path)
      try Bundle.sign(path, with: try SigningKey(contentsOf: Vectors.path("bundles/signer.key")))
      var names = try Bundle.verify(path).manifest.files.map(\.path) + ["manifest.json"]
      // Elsewhere signatures of one key over one text may differ.
      #if os(Linux)
        names.append("signature.json")
      #endif
      for name in names {
        let (ours, theirs) = (
          try path.pushing(FilePath(name)).readBytes(),
          try Self.directory.pushing(FilePath(name)).readBytes()
        )
        #expect(ours == theirs, "\(name)")
      }
      #expect(names.count >= 10)
    }
  }

  @Test func `a single file of another program is signed again and keeps the first signature`()
    throws
  {
    try withTemporaryDirectory { directory in
      let copy = directory.appending("small.flare")
      try copy.overwrite(try Self.archive.readBytes())
      let key = SigningKey()
      let signer = try VerifyingKey(contentsOf: Self.key)
      #expect(try Bundle.sign(copy, with: key) == [signer, key.verifyingKey])
      #expect(try Bundle.verify(copy).signers == [signer, key.verifyingKey])
    }
  }
}
