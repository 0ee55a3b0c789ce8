import Adapters
public import Bundles
import Files
import JSON
public import Kernels
public import Models
public import SystemPackage

/// A bundle made again from its recipe, to see that it comes out the same.
public struct Reproduction: Sendable {
  /// The conversion that the recipe describes.
  public let conversion: Conversion
  /// The manifest that is to come out.
  public let expected: BundleManifest
  private let recipe: Recipe

  /// Reads a manifest and checks that what is given is what went in.
  ///
  /// - Parameters:
  ///   - path: a bundle in either form, or a `manifest.json`.
  ///   - model: what the recipe calls its model.
  ///   - adapters: the adapters that went in, in any order.
  ///   - keys: one of them has to have signed the manifest; none to ask for no signature.
  /// - Throws: a `FlareError` when there is no recipe, it is not signed so, or an input is another one.
  public init(
    _ path: FilePath, model: ModelFiles, adapters: [FilePath], to destination: FilePath,
    requiring keys: [VerifyingKey] = [], mayReplace: Bool = false, with kernels: Kernels
  ) throws {
    expected = try BundleManifest(at: path, requiring: keys)
    guard expected.recipe != .null else {
      throw ConversionError(.badInput, "\(path): says no recipe that it was made by")
    }
    do {
      recipe = try Recipe(expected.recipe, subject: "\(path)")
    } catch {
      throw ConversionError(.badInput, error.description)
    }
    guard expected.createdBy == "flare \(flareVersion)" else {
      throw ConversionError(
        .badInput,
        "\(path): was made by '\(expected.createdBy)', and only that version is sure to give the same "
          + "bytes. This is 'flare \(flareVersion)'")
    }
    try Self.check(model, is: recipe.model, with: kernels)
    let base = try model.configuration().adapterBase
    var given = try adapters.map { ($0, try Recipe.files(at: $0)) }
    var members: [AdapterStack.Member] = []
    for input in recipe.adapters {
      guard let position = given.firstIndex(where: { $0.1 == input.files }) else {
        throw ConversionError(
          .badInput,
          "the adapter '\(input.name)' of the recipe is not among those given"
            + (Self.nearest(to: input.files, among: given) ?? ". Pass it with --adapter"))
      }
      let adapter = try Adapter(given.remove(at: position).0, for: base, with: kernels)
      members.append(
        AdapterStack.Member(adapter.named(input.name, at: adapter.path), weight: input.weight))
    }
    if let extra = given.first {
      throw ConversionError(.usage, "\(extra.0): is no part of the recipe. Leave it out")
    }
    var request = try ConversionRequest(
      recipe, model: model, adapters: members, to: destination,
      form: ConversionRequest.Form(destination: destination))
    request.mayReplace = mayReplace
    request.modelName = recipe.model.name
    conversion = try Conversion(request, with: kernels)
  }

  /// How an adapter that has the same files differs, as the end of a sentence; nil when there is none.
  private static func nearest(
    to files: [BundleManifest.File], among given: [(FilePath, [BundleManifest.File])]
  ) -> String? {
    for (path, others) in given where others.map(\.path) == files.map(\.path) {
      for (file, other) in zip(files, others) where file != other {
        return ": '\(file.path)' of \(path) is \(other.sha256.prefix(12)), expected "
          + "\(file.sha256.prefix(12))"
      }
    }
    return nil
  }

  private static func check(
    _ model: ModelFiles, is input: BundleManifest.Base, with kernels: Kernels
  ) throws {
    func refuse(_ what: String, _ actual: String, _ expected: String) -> ConversionError {
      ConversionError(
        .badInput,
        "\(model.path): is not the model that went in: its \(what) is \(actual.prefix(12)), the recipe "
          + "has \(expected.prefix(12)) for '\(input.name)'")
    }
    if let fingerprint = input.fingerprint {
      guard !model.isQuantized else {
        throw ConversionError(
          .badInput, "\(model.path): is quantized, and the recipe begins with floats")
      }
      let actual = try IdentityCache().identity(of: model, with: kernels).fingerprint
      guard actual == fingerprint else { throw refuse("fingerprint", actual, fingerprint) }
      return
    }
    let folder = model.bundle?.filesDirectory
    let paths = folder.map { [$0.appending(BundleManifest.fileName)] } ?? model.weightPaths
    for (path, file) in zip(paths, input.files) {
      let actual = try BundleManifest.File(hashing: path, as: file.path)
      guard actual == file else { throw refuse("'\(file.path)'", actual.sha256, file.sha256) }
    }
    guard paths.count == input.files.count else {
      throw ConversionError(
        .badInput, "\(model.path): has \(paths.count) files, the recipe \(input.files.count)")
    }
  }

  /// Makes the bundle again.
  ///
  /// - Returns: what came out otherwise, as the end of a sentence; nil when every byte is the same.
  /// - Throws: a `FlareError` as `Conversion.run`.
  public func run(progress: ((ConversionStep) -> Void)? = nil) throws -> String? {
    try conversion.check()
    try conversion.run(progress: progress)
    let actual = try BundleManifest(at: conversion.request.destination)
    if actual.text == expected.text { return nil }
    for file in expected.files {
      guard let own = actual.files.first(where: { $0.path == file.path }) else {
        return "lacks '\(file.path)'"
      }
      if own != file {
        return
          "has another '\(file.path)': \(own.sha256.prefix(12)), expected \(file.sha256.prefix(12))"
      }
    }
    return "has another manifest\(Self.difference(actual.text, expected.text))"
  }

  /// The members of a manifest that differ, as the end of a sentence.
  private static func difference(_ actual: String, _ expected: String) -> String {
    let documents = [actual, expected].map { (try? JSONValue(parsing: $0))?.object ?? [:] }
    let keys = Set(documents.flatMap(\.keys)).filter { documents[0][$0] != documents[1][$0] }
    return keys.isEmpty ? "" : ", in \(keys.sorted().map { "'\($0)'" }.joined(separator: ", "))"
  }
}
