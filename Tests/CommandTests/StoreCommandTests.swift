import Files
import JSON
import SystemPackage
import TestSupport
import Testing

/// The command on a store.
struct StoreCommandTests {
  /// A bundle, and a store that is in a folder of its own.
  private struct Place {
    let bundle: FilePath
    let store: FilePath

    func flare(_ arguments: String...) throws -> FinishedProcess {
      try FinishedProcess(
        "flare", arguments, in: store.removingLastComponent(),
        environment: ["FLARE_STORE": store.string])
    }

    func output(_ arguments: String...) throws -> String {
      let process = try FinishedProcess(
        "flare", arguments, in: store.removingLastComponent(),
        environment: ["FLARE_STORE": store.string])
      #expect(process.exitCode == 0, "\(process.errors)")
      return process.output
    }
  }

  private func withPlace(_ body: (Place) throws -> Void) throws {
    try withTemporaryDirectory { folder in
      let place = Place(bundle: folder.appending("model"), store: folder.appending("store"))
      _ = try place.output(
        "convert", BundleTests.base.string, "--quantize", "int4", "-o", place.bundle.string)
      try body(place)
    }
  }

  @Test func `a bundle is added, listed, run, verified, removed and collected`() throws {
    try withPlace { place in
      let added = try place.output("add", "model", "maya:int4")
      #expect(added.hasPrefix("added maya:int4, "))
      let list = try place.output("list").split(separator: "\n").map {
        $0.split(separator: " ").map(String.init)
      }
      #expect(list.contains { $0.starts(with: ["maya:int4", "model", "llama", "int4"]) })
      let tokens = ["--tokens", "1,5,9"]
      _ = try place.output("logits", "maya:int4", tokens[0], tokens[1], "-o", "a.safetensors")
      _ = try place.output("logits", "model", tokens[0], tokens[1], "-o", "b.safetensors")
      let folder = place.store.removingLastComponent()
      #expect(
        try folder.appending("a.safetensors").readBytes()
          == folder.appending("b.safetensors").readBytes())
      #expect(try place.output("verify", "maya:int4").contains("files match their SHA-256"))
      #expect(try place.output("remove", "maya:int4").contains("'flare gc' frees"))
      #expect(try place.output("gc", "--dry-run").hasPrefix("would free "))
      let freed = try JSONValue(parsing: try place.output("gc", "--json"))
      #expect(freed["file_bytes"] == .integer(place.bundle.treeByteCount))
      #expect(try place.output("list").contains("is empty"))
      let again = try place.flare("run", "maya:int4", "-p", "x")
      #expect(again.exitCode == 65 && again.errors.contains("no such file"))
    }
  }

  @Test func `a path that exists is meant, and a name beside it is mentioned`() throws {
    try withPlace { place in
      _ = try place.output("add", "model", "maya:int4")
      let folder = place.store.removingLastComponent()
      try FilePath(BundleTests.base.string).appending("config.json").copy(
        to: folder.appending("maya:int4"))
      let process = try place.flare("inspect", "maya:int4")
      #expect(process.errors.contains("'maya:int4' is a path here and a name in the store"))
      #expect(process.exitCode == 65, "the file is no model")
    }
  }

  @Test func `a missing model that is spelled like a reference is said to be pulled`() throws {
    try withPlace { place in
      let process = try place.flare("inspect", "registry.example/team/maya:1")
      #expect(process.exitCode == 65)
      #expect(process.errors.contains("'flare pull registry.example/team/maya:1' fetches it"))
    }
  }

  @Test func `a name that a bundle has already is not taken`() throws {
    try withPlace { place in
      _ = try place.output("add", "model", "maya")
      let process = try place.flare("add", "model", "maya")
      #expect(process.exitCode == 73 && process.errors.contains("--overwrite"))
      #expect(try place.flare("add", "model", "../maya").exitCode == 64)
      #expect(try place.flare("remove", "other").exitCode == 65)
    }
  }
}

extension FilePath {
  fileprivate func copy(to destination: FilePath) throws {
    try destination.overwrite(try readBytes())
  }
}
