// swift-tools-version: 6.2
import PackageDescription

let collections: Target.Dependency = .product(
  name: "OrderedCollections", package: "swift-collections")
let system: Target.Dependency = .product(name: "SystemPackage", package: "swift-system")

let package = Package(
  name: "flare",
  platforms: [.macOS(.v26)],
  products: [
    .executable(name: "flare", targets: ["FlareCommand"]),
    .library(
      name: "Flare",
      targets: [
        "Adapters", "Archives", "Benchmarks", "Bundles", "Conversion", "Evaluation", "Files",
        "JSON", "Kernels", "Models", "Quantization", "Registry", "Store", "Templates", "Tensors",
        "Tokenizers", "WeightFiles",
      ]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
    .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
  ],
  targets: [
    // Layer 1: bytes and shapes.
    .target(name: "Files", dependencies: [system]),
    .target(name: "JSON", dependencies: ["Files", collections, system]),
    .target(name: "Tensors", dependencies: ["Files"]),
    .target(name: "CKernels"),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .systemLibrary(
      name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),

    // Layer 2: what can be done with them.
    .target(name: "Kernels", dependencies: ["CKernels", "COpenBLAS", "Files", "Tensors"]),
    .target(name: "WeightFiles", dependencies: ["Files", "JSON", "Tensors", collections, system]),
    .target(name: "Quantization", dependencies: ["CKernels", "Files", "Kernels", "Tensors"]),
    .target(name: "Tokenizers", dependencies: ["Files", "JSON", "WeightFiles", system]),
    .target(name: "Templates", dependencies: ["Files", "JSON", collections]),
    .target(name: "Archives", dependencies: ["CZstd", "Files"]),
    .target(
      name: "Bundles",
      dependencies: [
        "Archives", "Files", "JSON", "Tensors", "WeightFiles", system,
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "CryptoExtras", package: "swift-crypto"),
      ]),
    .target(
      name: "Registry",
      dependencies: [
        "Archives", "Files", "JSON", system,
        .product(name: "AsyncHTTPClient", package: "async-http-client"),
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
      ]),

    .target(
      name: "Store",
      dependencies: ["Bundles", "Files", "JSON", "Registry", "Tensors", system]),

    // Layer 3: adapters, models, and what is made of them.
    .target(
      name: "Adapters",
      dependencies: ["Files", "JSON", "Kernels", "Tensors", "WeightFiles", collections, system]),
    .target(
      name: "Models",
      dependencies: [
        "Adapters", "Bundles", "Files", "JSON", "Kernels", "Templates", "Tensors", "Tokenizers",
        "WeightFiles", system, .product(name: "Crypto", package: "swift-crypto"),
      ]),
    .target(
      name: "Evaluation",
      dependencies: ["Adapters", "Files", "JSON", "Kernels", "Models", system]),
    .target(
      name: "Benchmarks",
      dependencies: [
        "Adapters", "JSON", "Kernels", "Models", "Quantization", "Tensors", system,
      ]),
    .target(
      name: "Conversion",
      dependencies: [
        "Adapters", "Bundles", "Files", "JSON", "Kernels", "Models", "Quantization", "Tensors",
        "Tokenizers", "WeightFiles", system,
        .product(name: "Crypto", package: "swift-crypto"),
      ]),

    // Layer 4: the command.
    .executableTarget(
      name: "FlareCommand",
      dependencies: [
        "Adapters", "Benchmarks", "Bundles", "Conversion", "Evaluation", "Files", "JSON", "Kernels",
        "Models", "Quantization", "Registry", "Store", "Templates", "Tensors", "Tokenizers",
        "WeightFiles", system,
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),

    .executableTarget(
      name: "AskWithSource", dependencies: ["Kernels", "Models", system],
      path: "samples/AskWithSource"),

    // Tests.
    .target(
      name: "TestSupport", dependencies: ["Archives", "Files", "JSON", "Tensors", system],
      path: "Tests/TestSupport"),
    .testTarget(name: "JSONTests", dependencies: ["JSON"]),
    .testTarget(name: "FilesTests", dependencies: ["Files", "TestSupport", system]),
    .testTarget(
      name: "KernelsTests", dependencies: ["Kernels", "Tensors", "TestSupport", "WeightFiles"]),
    .testTarget(
      name: "QuantizationTests",
      dependencies: ["JSON", "Kernels", "Quantization", "Tensors", "TestSupport", "WeightFiles"]),
    .testTarget(
      name: "WeightFilesTests",
      dependencies: ["Files", "JSON", "Tensors", "TestSupport", "WeightFiles", system]),
    .testTarget(
      name: "TokenizersTests",
      dependencies: ["Files", "JSON", "TestSupport", "Tokenizers", "WeightFiles", system]),
    .testTarget(
      name: "TemplatesTests", dependencies: ["JSON", "Templates", "TestSupport", system]),
    .testTarget(
      name: "AdaptersTests",
      dependencies: [
        "Adapters", "Files", "JSON", "Kernels", "Tensors", "TestSupport", "WeightFiles", system,
      ]),
    .testTarget(
      name: "ModelsTests",
      dependencies: [
        "Adapters", "Conversion", "Files", "JSON", "Kernels", "Models", "Quantization", "Tensors",
        "TestSupport", "WeightFiles", system,
      ]),
    .testTarget(
      name: "BenchmarksTests",
      dependencies: [
        "Adapters", "Benchmarks", "JSON", "Kernels", "Models", "Quantization", "Tensors",
        "TestSupport",
      ]),
    .testTarget(name: "EvaluationTests", dependencies: ["Evaluation", "TestSupport", system]),
    .testTarget(
      name: "ConversionTests",
      dependencies: [
        "Adapters", "Bundles", "Conversion", "Files", "JSON", "Kernels", "Models", "Quantization",
        "Tensors", "TestSupport", "WeightFiles", system,
        .product(name: "Crypto", package: "swift-crypto"),
      ]),
    .testTarget(
      name: "SamplesTests",
      dependencies: [
        "Adapters", "AskWithSource", "Conversion", "Evaluation", "Files", "JSON", "Kernels",
        "Models", "Quantization", "TestSupport", "Tokenizers", system,
      ]),
    .testTarget(
      name: "CommandTests",
      dependencies: [
        "AskWithSource", "Files", "FlareCommand", "JSON", "RegistrySupport", "Tensors",
        "TestSupport", "WeightFiles",
        system,
      ]),
    .target(
      name: "RegistrySupport",
      dependencies: [
        "Files", "Registry", "TestSupport", system,
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
      ],
      path: "Tests/RegistrySupport"),
    .testTarget(
      name: "StoreTests",
      dependencies: [
        "Archives", "Bundles", "Files", "JSON", "Registry", "RegistrySupport", "Store", "Tensors",
        "TestSupport", system,
      ]),
    .testTarget(
      name: "RegistryTests",
      dependencies: [
        "Archives", "Files", "JSON", "Registry", "RegistrySupport", "TestSupport", system,
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
      ]),
    .testTarget(
      name: "ArchivesTests", dependencies: ["Archives", "Files", "TestSupport", system]),
    .testTarget(
      name: "BundlesTests",
      dependencies: [
        "Archives", "Bundles", "Files", "JSON", "Tensors", "TestSupport", "WeightFiles", system,
      ]),
  ]
)

// One set of compiler settings for every Swift target.
for target in package.targets where target.type != .system && target.name != "CKernels" {
  target.swiftSettings = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .enableUpcomingFeature("ExistentialAny"),  // SE-0335
    .enableUpcomingFeature("MemberImportVisibility"),  // SE-0444
    .enableUpcomingFeature("InternalImportsByDefault"),  // SE-0409
    // Lets a property return a span. Not yet an accepted proposal, but swift-nio, swift-system
    // and swift-collections ship with it on the language group's promise of two releases' notice.
    .enableExperimentalFeature("Lifetimes"),
  ]
}
