import Adapters
import Files
import Kernels
import Models
import SystemPackage
import Tensors
import TestSupport
import Testing
import WeightFiles

/// The ledger of a merge says what became of every tensor of an adapter.
struct LedgerTests {
  /// Every adapter of the vectors, found on disk so that none is forgotten.
  static let adapters: [FilePath] = ["llama", "llama-biased", "gemma2"].flatMap { model in
    let path = Vectors.path("models/\(model)")
    return ((try? path.entryNames) ?? []).map { path.appending($0) }
      .filter { $0.appending("adapter_config.json").exists }
  }

  /// The tensors of the adapter's file, without PEFT's copies: of a module that was trained whole it
  /// may write the original, and the same under a second name.
  func tensorNames(of path: FilePath) throws -> [String] {
    let files = ["adapter_model.safetensors", "adapters.safetensors"].map { path.appending($0) }
    let file = try SafetensorsFile(try #require(files.first { $0.exists }))
    let names = Set(file.tensorInfos.map(\.name))
    return names.filter { name in
      !name.contains(".original_module.")
        && !(name.contains(".modules_to_save.")
          && names.contains(name.replacing(".modules_to_save.", with: ".")))
    }
  }

  @Test func `there are adapters of every kind`() {
    #expect(Self.adapters.count >= 48)
  }

  @Test(arguments: adapters)
  func `every tensor of an adapter is accounted for once`(path: FilePath) throws {
    let model = try VectorModel(path.removingLastComponent().lastComponent?.string ?? "")
    let members = [AdapterStack.Member(try model.adapter(at: path))]
    let stack = try AdapterStack(members).fitted(
      to: model.files().tensors, isTied: model.files().configuration().tiesWordEmbeddings,
      with: model.kernels)
    for isSourceFree in [false, true] {
      let ledger = MergePlan(stack, isSourceFree: isSourceFree).ledger
      let count = ledger.reduce(0) { $0 + $1.tensorCount }
      let names = try tensorNames(of: path)
      // Without a source, FLARE-MT's projection has nothing to project.
      let unread = isSourceFree ? names.count { $0.hasPrefix("proj.") } : 0
      #expect(count == names.count - unread, "\(isSourceFree ? "source-free" : "with a source")")
      #expect(Set(ledger.map { "\($0.module) \($0.disposition)" }).count == ledger.count)
    }
  }
}
