package dl4jbridge;

import java.io.IOException;
import java.lang.reflect.Field;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.Loader;

/** Makes the next start of Java faster: lists the classes that it needs, and the places of its native libraries. */
public final class StartUp {
    /** Loads ND4J's native libraries, and OpenBLAS, when it is initialised. By name: the CUDA backend has another one. */
    private static final String NATIVE = "org.nd4j.linalg.cpu.nativecpu.bindings.Nd4jCpu";
    private static final int CLASSES = 256;
    private static final int STEPS = 4;
    private static final String SETTINGS = String.join("\n", "inputs=256", "outputs=256", "input=one-hot",
            "output=softmax", "layer=fused", "gradient_state=carried", "layers=2", "hidden=32", "tbptt=4",
            "init=wide", "neighbours=0", "cell_penalty=0", "updater=adam", "learning_rate=0.01", "l2=0", "weight_decay=0",
            "clip=1", "dropout=0", "seed=1");

    private static volatile Thread loading;

    private StartUp() {}

    /**
     * Does a little of everything, so that Java can list the classes: trains, saves to the first file, restores the network and
     * runs both streams. Then writes the places of the libraries to the second file.
     */
    public static void main(String[] arguments) throws IOException, InterruptedException {
        loadInBackground(null);
        adoptThread();
        dl4jbridge.fused.Workers.setThreads(2);
        Network network = Network.create(SETTINGS);
        Tensor samples = Tensor.zeros("FLOAT", "f", new long[] {2, CLASSES, STEPS});
        for (int b = 0; b < 2; b++) {
            for (int t = 0; t < STEPS; t++) {
                samples.array().putScalar(new int[] {b, t, t}, 1);
            }
        }
        for (int i = 0; i < 2; i++) {
            network.step(samples, samples, STEPS, i == 0, i);
        }
        network.save(arguments[0], true);
        Network again = Network.restored(SETTINGS, network.parameterVector(),
                Tensor.of(network.dl4j().getUpdater().getStateViewArray()), 2);
        again.restoreState("0/prevAct", network.state().get("0/prevAct"));
        Tensor indices = Tensor.zeros("UBYTE", "c", new long[] {STEPS});
        Tensor probabilities = Tensor.zeros("FLOAT", "c", new long[] {STEPS, CLASSES});
        again.stream().run(indices, probabilities, STEPS);
        again.vectorStream().run(Tensor.zeros("FLOAT", "c", new long[] {STEPS, CLASSES}), probabilities, STEPS);
        again.stream().means(indices, Tensor.zeros("DOUBLE", "c", new long[] {CLASSES}),
                Tensor.zeros("DOUBLE", "c", new long[] {STEPS}), STEPS);
        again.batchStream().run(samples, Tensor.zeros("FLOAT", "c", new long[] {2, STEPS, CLASSES}), STEPS);
        writeLibraries(Path.of(arguments[1]));
    }

    /**
     * Loads ND4J's native libraries in a thread of its own, while Python imports and reads; {@link #adoptThread} waits for it.
     *
     * <p>ND4J itself starts later, in the first thread that uses it: it looks up addresses by {@code Loader.addressof}, which
     * calls {@code dlsym} inside {@code dl_iterate_phdr} and so hangs if Python calls {@code dlopen} at the same time.
     *
     * @param libraries  the file for {@link #recallLibraries}, or null
     */
    public static void loadInBackground(String libraries) {
        Thread thread = new Thread(() -> load(libraries), "dl4j-bridge-start");
        thread.setContextClassLoader(StartUp.class.getClassLoader());
        thread.setDaemon(true);
        thread.start();
        loading = thread;
    }

    private static void load(String libraries) {
        try {
            if (libraries != null) {
                recallLibraries(libraries);
            }
        } catch (IOException | RuntimeException e) {
            // JavaCPP then searches for its libraries, which takes longer.
        }
        try {
            Class.forName(NATIVE);
            // The first call takes as long as all that ND4J formats when it starts.
            String.format("%.1f", 1.0);
        } catch (ClassNotFoundException | LinkageError e) {
            // ND4J tries again and reports it.
        }
    }

    /**
     * Makes the calling thread ready for ND4J: waits for {@link #loadInBackground}, and sets our class loader. ND4J finds its
     * backend by it, and threads of Python have none.
     */
    public static void adoptThread() throws InterruptedException {
        Thread.currentThread().setContextClassLoader(StartUp.class.getClassLoader());
        if (loading != null) {
            loading.join();
        }
    }

    private static void writeLibraries(Path file) throws IOException {
        List<String> lines = new ArrayList<>();
        for (Map.Entry<String, URL[]> library : foundLibraries().entrySet()) {
            StringBuilder line = new StringBuilder(library.getKey());
            for (URL url : library.getValue()) {
                line.append('\t').append(url);
            }
            lines.add(line.toString());
        }
        Files.write(file, lines);
        // So that Java lists the classes of this too.
        recallLibraries(file.toString());
    }

    /**
     * Sets the places of JavaCPP's libraries from the file that {@link #main} wrote. JavaCPP would search every jar and
     * every module of Java for each of them, several times.
     */
    private static void recallLibraries(String file) throws IOException {
        Map<String, URL[]> found = foundLibraries();
        for (String line : Files.readAllLines(Path.of(file))) {
            String[] parts = line.split("\t");
            URL[] urls = new URL[parts.length - 1];
            for (int i = 0; i < urls.length; i++) {
                urls[i] = new URL(parts[i + 1]);
            }
            found.put(parts[0], urls);
        }
    }

    @SuppressWarnings("unchecked")
    private static Map<String, URL[]> foundLibraries() {
        try {
            Field field = Loader.class.getDeclaredField("foundLibraries");
            field.setAccessible(true);
            return (Map<String, URL[]>) field.get(null);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("found another JavaCPP; wanted 1.5.7", e);
        }
    }
}
