import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Bundles

struct BundleManifestTests {
  static let digest = String(repeating: "0f", count: 32)

  /// A manifest's text with `fields` after the two that decide how it is read.
  private func read(_ fields: String, version: String = "1.0") throws -> BundleManifest {
    let text =
      #"{"format":"flare-bundle","version":"\#(version)","architecture":"llama","#
      + #""created_by":"flare 1.0",\#(fields)}"#
    return try BundleManifest(parsing: Array(text.utf8).span, path: "manifest.json")
  }

  private func file(_ path: String, bytes: String = "1", sha256: String = digest) -> String {
    #"{"path":"\#(path)","bytes":\#(bytes),"sha256":"\#(sha256)"}"#
  }

  private func expectRefusal(
    _ fields: String, _ problem: String, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let error = #expect(throws: BundleError.self, sourceLocation: sourceLocation) {
      try read(fields)
    }
    #expect(error?.code == .malformedManifest, sourceLocation: sourceLocation)
    #expect(
      error?.description == "manifest.json: manifest: \(problem)", sourceLocation: sourceLocation)
  }

  @Test func `the text of a manifest reads back to the same manifest and text`() throws {
    var manifest = SampleBundle.description
    manifest.packedTensors = [
      TensorInfo(name: "v", shape: [3, 256], elementType: .blockQ2K),
      TensorInfo(name: "w", shape: [3, 32], elementType: .groupedInt8),
    ]
    manifest.files = [.init(path: "a/b", byteCount: 3, sha256: Self.digest)]
    let text = manifest.text
    let read = try BundleManifest(parsing: Array(text.utf8).span, path: "manifest.json")
    #expect(read == manifest)
    #expect(read.text == text)
  }

  @Test func `no damage to a manifest brings the reader down`() {
    var manifest = SampleBundle.description
    manifest.packedTensors = [TensorInfo(name: "w", shape: [3, 32], elementType: .groupedInt8)]
    manifest.files = [.init(path: "a/b", byteCount: 3, sha256: Self.digest)]
    let text = Array(manifest.text.utf8)
    var generator = SeededGenerator(seed: 11)
    var refused = 0
    for position in text.indices {
      var damaged = text
      damaged[position] = UInt8.random(in: 0x20...0x7E, using: &generator)
      for bytes in [damaged, Array(text.prefix(position))] {
        do {
          _ = try BundleManifest(parsing: bytes.span, path: "manifest.json")
        } catch {
          #expect(error.description.hasPrefix("manifest.json: "))
          refused += 1
        }
      }
    }
    // Every truncation, and every damage that hits structure; names may be anything.
    #expect(refused > text.count + text.count / 4 && refused < 2 * text.count)
  }

  @Test func `a newer major is refused and a newer minor with unknown fields is read`() throws {
    let error = #expect(throws: BundleError.self) {
      try read(#""files":[]"#, version: "3.0")
    }
    #expect(error?.code == .newerVersion)
    #expect(
      error?.description
        == "manifest.json: the bundle has version 3.0, this program reads up to 2.x. "
        + "Update the program")
    let newer = try read(#""files":[],"signature":{"key":"x"}"#, version: "1.7")
    #expect(newer.version == .init(major: 1, minor: 7))
  }

  @Test(arguments: ["1", "1.0.0", "", "a.b", "1.", "-1.0", "+1.0", "1.x"])
  func `a version that is not two numbers is refused`(version: String) {
    let error = #expect(throws: BundleError.self) { try read(#""files":[]"#, version: version) }
    #expect(
      error?.description
        == "manifest.json: 'version' is '\(version)', expected two numbers such as '1.0'")
  }

  @Test func `another format is refused`() {
    let text = Array(#"{"format":"zip","version":"1.0"}"#.utf8)
    let error = #expect(throws: BundleError.self) {
      try BundleManifest(parsing: text.span, path: "manifest.json")
    }
    #expect(
      error?.description == "manifest.json: 'format' is 'zip', expected 'flare-bundle'")
  }

  @Test(arguments: [
    "../evil", "/etc/passwd", "a/../../b", "", ".", "a//b", "a/", "a/./b", #"a\\b"#, #"a\u0000b"#,
    #"a\nb"#,
  ])
  func `a path that leaves the bundle is refused`(path: String) throws {
    let error = #expect(throws: BundleError.self) { try read(#""files":[\#(file(path))]"#) }
    #expect(error?.detail.hasSuffix("which is not a plain path inside a folder") == true)
    #expect(throws: Never.self) { try read(#""files":[\#(file("a/..b/c"))]"#) }
  }

  @Test func `a field that is missing or wrong is named`() {
    expectRefusal(#""x":1"#, "'files' is missing, expected a list of objects")
    expectRefusal(#""files":{}"#, "'files' is {}, expected a list of objects")
    expectRefusal(#""files":[7]"#, "'files' 1: got 7, expected an object")
    expectRefusal(
      #""files":[\#(file("a", bytes: "-1"))]"#, "'files' 1: 'bytes' is -1, expected 0 or more")
    expectRefusal(
      #""files":[\#(file("a", sha256: "12AB"))]"#,
      "'files' 1: 'sha256' is '12AB', expected 64 hexadecimal digits")
    expectRefusal(
      #""files":[\#(file("manifest.json"))]"#,
      "lists 'manifest.json', which no manifest lists")
    expectRefusal(#""files":[\#(file("a")),\#(file("a"))]"#, "names the file 'a' twice")
    expectRefusal(
      #""files":[\#(file("a")),\#(file("a/b/c"))]"#, "names 'a' both as a file and as a folder")
    expectRefusal(
      #""files":[\#(file("a", bytes: "\(Int.max)")),\#(file("b"))]"#,
      "the sizes of the files overflow")
    expectRefusal(
      #""files":[],"quantization":{"scheme":"search","type":"int5"}"#,
      "'quantization': 'type' is 'int5', a type that this version does not know")
    expectRefusal(
      #""files":[],"packed_tensors":{"w":{"type":"int4","shape":[2,31]}}"#,
      "'packed_tensors': 'w': int4 cannot have shape [2, 31]")
    expectRefusal(
      #""files":[],"packed_tensors":{"w":null}"#,
      "'packed_tensors': 'w' is null, expected an object")
    expectRefusal(
      #""files":[],"packed_tensors":{"w":{"type":"F32","shape":[2,32]}}"#,
      "'packed_tensors': 'w': F32 cannot have shape [2, 32]")
    expectRefusal(
      #""files":[],"adapters":[{"name":"a","kind":"lora","path":"../a"}]"#,
      "'adapters' 1: path '../a' leads out of the model")
    expectRefusal(
      #""files":[],"adapters":[{"name":"a"}]"#, "'adapters' 1: 'kind' is missing, expected a string"
    )
  }
}
