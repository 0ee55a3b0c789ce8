import JSON
import Testing

@testable import Registry

struct ManifestTests {
  static let empty = ContentDigest(of: [])

  static func manifest(_ paths: [String]) -> ArtifactManifest {
    ArtifactManifest(
      configuration: Descriptor(
        mediaType: ModelPack.configurationMediaType, digest: empty, byteCount: 0),
      layers: paths.map {
        Descriptor(file: $0, kind: .weight, digest: empty, byteCount: 0)
      }, annotations: ["b": "2", "a": "1"])
  }

  /// The text of a good manifest with one part replaced.
  static func text(replacing part: String, with other: String) -> [UInt8] {
    let text = manifest(["a"]).text
    let range = text.firstRange(of: part)
    return Array((range.map { text.replacingCharacters(in: $0, other) } ?? "").utf8)
  }

  @Test func `the text of a manifest is the one that the specification shows`() {
    let d = Self.empty.description
    #expect(
      Self.manifest(["x/a.bin"]).text == """
        {"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",\
        "artifactType":"application/vnd.cncf.model.manifest.v1+json",\
        "config":{"mediaType":"application/vnd.cncf.model.config.v1+json","digest":"\(d)","size":0},\
        "layers":[{"mediaType":"application/vnd.cncf.model.weight.v1.raw","digest":"\(d)","size":0,\
        "annotations":{\
        "org.cncf.model.file.mediatype.untested":"false",\
        "org.cncf.model.file.metadata+json":\
        "{\\"name\\":\\"a.bin\\",\\"mode\\":420,\\"uid\\":0,\\"gid\\":0,\\"size\\":0,\
        \\"mtime\\":\\"1970-01-01T00:00:00Z\\",\\"typeflag\\":48}",\
        "org.cncf.model.filepath":"x/a.bin",\
        "org.opencontainers.image.title":"x/a.bin"}}],\
        "annotations":{"a":"1","b":"2"}}
        """)
  }

  @Test func `a manifest reads what it wrote`() throws {
    let manifest = Self.manifest(["a", "b/c"])
    let read = try ArtifactManifest(parsing: Array(manifest.text.utf8), from: "x")
    #expect(read == manifest)
    #expect(try read.files(from: "x").map(\.path) == ["a", "b/c"])
  }

  @Test func `the earlier spelling of the specification is read`() throws {
    let text = Self.manifest(["a"]).text.replacing("vnd.cncf.model", with: "vnd.cnai.model")
      .replacing("org.cncf.model", with: "org.cnai.model")
    let entries = try ArtifactManifest(parsing: Array(text.utf8), from: "x").files(from: "x")
    #expect(entries.map(\.path) == ["a"])
    #expect(entries.map(\.kind) == [.weight])
  }

  @Test(arguments: [
    (
      #""artifactType":"application/vnd.cncf.model.manifest.v1+json","#, "",
      "'application/vnd.cncf.model.config.v1+json', expected the ModelPack"
    ),
    (
      "vnd.cncf.model.manifest", "vnd.example.thing",
      "is of the type 'application/vnd.example.thing.v1+json'"
    ),
    ("vnd.cncf.model.config", "vnd.oci.image.config", "has a configuration of the type"),
    ("vnd.oci.image.manifest", "vnd.oci.image.index", "is an index of several artifacts"),
    (#""schemaVersion":2"#, #""schemaVersion":1"#, "schema version 1"),
    (#""schemaVersion":2"#, #""schemaVersion":"2""#, "expected an integer"),
    (#""size":0"#, #""size":-1"#, "expected 0 or more"),
    (#""size":0"#, #""size":1e30"#, "expected an integer"),
    (#""size":0"#, #""x":0"#, "'size' is missing"),
    ("sha256:", "sha512:", "does not begin with 'sha256:'"),
    (#""config":{"#, #""config":5,"x":{"#, "got 5, expected an object"),
    (#""a":"1""#, #""a":1"#, "expected a string"),
    (#""layers":["#, #""layers":[],"x":["#, "'layers' is missing or empty"),
    (#""layers":["#, #""layers":[5,"#, "layer 1: got 5"),
    ("}", "", "not"),
  ])
  func `a manifest that is not right is refused with its defect`(
    part: String, other: String, problem: String
  ) {
    let error = #expect(throws: RegistryError.self) {
      try ArtifactManifest(parsing: Self.text(replacing: part, with: other), from: "r.example/m:x")
    }
    if part != "}" {
      #expect(error?.description.contains(problem) == true, "\(error?.description ?? "")")
    }
    #expect(error?.description.hasPrefix("r.example/m:x: ") == true)
  }

  @Test func `no cut and no changed byte of a manifest makes it trap`() {
    let text = Array(Self.manifest(["a", "b/c"]).text.utf8)
    for index in text.indices {
      for change in [
        text[..<index] + [], text[..<index] + [text[index] ^ 1] + text[(index + 1)...],
      ] {
        let manifest = try? ArtifactManifest(parsing: Array(change), from: "x")
        _ = try? manifest?.files(from: "x")
        #expect(change.count == text.count || manifest == nil)
      }
    }
  }

  @Test(arguments: [
    ["../a"], ["/a"], ["a//b"], ["a/."], ["a\\b"], ["a\nb"], [""], ["a", "a"], ["a", "a/b"],
    ["a/b", "a"], ["..\u{2F}\u{301}/a"], ["x/..\u{2F}\u{301}a"],
  ])
  func `paths that could leave the folder or clash are refused`(paths: [String]) {
    let error = #expect(throws: RegistryError.self) {
      try Self.manifest(paths).files(from: "x")
    }
    #expect(error?.code == .unusableFiles)
  }

  @Test(arguments: ["tar+gzip", "gguf", "tar+xz"])
  func `a layer that is packed in another way is refused by name`(packing: String) {
    var manifest = Self.manifest(["a"])
    manifest.layers[0].mediaType = "application/vnd.cncf.model.weight.v1.\(packing)"
    let error = #expect(throws: RegistryError.self) { try manifest.files(from: "x") }
    #expect(error?.code == .unsupportedMediaType)
    #expect(
      error?.description.contains("'application/vnd.cncf.model.weight.v1.\(packing)'") == true)
  }

  @Test(arguments: ["cncf", "cnai"], ["tar", "tar+zstd"])
  func `what a layer says of the file in its archive is read, in both spellings`(
    spelling: String, packing: String
  ) throws {
    var manifest = Self.manifest(["a"])
    manifest.layers[0] = Descriptor(
      mediaType: "application/vnd.\(spelling).model.code.v1.\(packing)", digest: Self.empty,
      byteCount: 3,
      annotations: [
        "org.\(spelling).model.filepath": "b",
        "org.\(spelling).model.file.metadata+json": #"{"name": "b", "size": 70, "mode": 420}"#,
      ])
    let file = try #require(manifest.files(from: "x").first)
    #expect(file.path == "b" && file.kind == .code && file.packing.rawValue == packing)
    #expect(file.byteCount == 70 && file.digest == nil && file.blob.byteCount == 3)
    #expect(manifest.fileDigests == [])

    manifest.layers[0].annotations[ModelPack.fileDigestKey] = Self.empty.description
    #expect(manifest.fileDigests == [Self.empty])
  }

  @Test(arguments: [
    (ModelPack.fileMetadataKey, "{", "metadata"), (ModelPack.fileMetadataKey, "5", "metadata"),
    (ModelPack.fileMetadataKey, #"{"size": "5"}"#, "metadata of the file: 'size'"),
    (ModelPack.fileMetadataKey, #"{"size": -5}"#, "'size' is -5, expected 0 or more"),
    (ModelPack.fileDigestKey, "md5:5", "does not begin with 'sha256:'"),
  ])
  func `what a layer says of the file in its archive has to make sense`(
    key: String, value: String, problem: String
  ) {
    var manifest = Self.manifest(["a"])
    manifest.layers[0].mediaType = LayerMediaType(.code, .tarZstd).description
    manifest.layers[0].annotations[key] = value
    let error = #expect(throws: RegistryError.self) { try manifest.files(from: "x") }
    #expect(error?.code == .malformedManifest)
    #expect(error?.description.hasPrefix("x: layer of 'a': ") == true)
    #expect(error?.description.contains(problem) == true || problem == "metadata")
  }

  @Test func `a layer without a path is refused`() throws {
    var manifest = Self.manifest(["a"])
    manifest.layers[0].annotations = [:]
    #expect(throws: RegistryError.self) { try manifest.files(from: "x") }
    // `oras` alone writes the title.
    manifest.layers[0].annotations = [OCI.titleKey: "b"]
    #expect(try manifest.files(from: "x").map(\.path) == ["b"])
  }

  @Test func `sizes that overflow are refused`() {
    var manifest = Self.manifest(["a", "b"])
    manifest.layers[0].byteCount = .max
    manifest.layers[1].byteCount = 1
    let error = #expect(throws: RegistryError.self) { try manifest.files(from: "x") }
    #expect(error?.description == "x: the sizes of its layers overflow")
    // What is in archives counts as well.
    manifest.layers[0].byteCount = 1
    manifest.layers[0].mediaType = LayerMediaType(.code, .tar).description
    manifest.layers[0].annotations[ModelPack.fileMetadataKey] = "{\"size\":\(Int.max)}"
    #expect(throws: RegistryError.self) { try manifest.files(from: "x") }
  }

  @Test func `every media type of the specification is read back`() {
    for kind in LayerKind.allCases {
      for packing in LayerMediaType.Packing.allCases {
        let type = LayerMediaType(kind, packing)
        #expect(LayerMediaType(type.description) == type)
      }
    }
    #expect(
      LayerMediaType(.weightConfiguration, .raw).description
        == "application/vnd.cncf.model.weight.config.v1.raw")
    #expect(LayerMediaType("application/vnd.cncf.model.weight.v1.gguf") == nil)
    #expect(LayerMediaType("application/vnd.cncf.model.weight.v1.raw; x=y") == nil)
  }
}

extension String {
  fileprivate func replacingCharacters(in range: Range<Index>, _ other: String) -> String {
    self[..<range.lowerBound] + other + self[range.upperBound...]
  }
}
