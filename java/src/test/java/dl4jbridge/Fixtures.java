package dl4jbridge;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dl4jbridge.fused.Cell;
import dl4jbridge.fused.Cells;
import java.io.File;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.indexing.NDArrayIndex;

/** Small networks and recordings, and a feeder that passes them to a network. */
public final class Fixtures {
    public static final int CLASSES = 16;
    public static final int HIDDEN = 12;
    public static final int BATCH = 3;
    public static final int TBPTT = 8;
    /** Two whole segments and a shorter one. */
    public static final int WINDOW = 2 * TBPTT + 5;

    /** The cell of every network that tests make; see {@link WithCell}. */
    public static Cell cell = Cells.named("graves");

    private Fixtures() {}

    /** A complete settings object with these fields changed: name, value, name, value. */
    public static Map<String, Object> settings(Object... changes) {
        Map<String, Object> all = new LinkedHashMap<>();
        all.put("inputs", CLASSES);
        all.put("outputs", CLASSES);
        all.put("input", "one-hot");
        all.put("output", "softmax");
        all.put("layer", "stock");
        all.put("cell", cell.name());
        all.put("gradient_state", "stock");
        all.put("layers", 2);
        all.put("hidden", HIDDEN);
        all.put("tbptt", TBPTT);
        all.put("init", "one-hot");
        all.put("updater", "adam");
        all.put("learning_rate", 0.01);
        all.put("l2", 0.0);
        all.put("weight_decay", 0.0);
        all.put("clip", 0.0);
        all.put("dropout", 0.0);
        all.put("neighbours", 0.0);
        all.put("cell_penalty", 0.0);
        all.put("seed", 42);
        for (int i = 0; i < changes.length; i += 2) {
            if (all.put((String) changes[i], changes[i + 1]) == null) {
                throw new IllegalArgumentException("no setting is called " + changes[i]);
            }
        }
        return all;
    }

    public static String lines(Map<String, Object> settings) {
        return settings.entrySet().stream().map(e -> e.getKey() + "=" + e.getValue())
                .collect(Collectors.joining("\n"));
    }

    public static Network network(Object... changes) {
        return Network.create(lines(settings(changes)));
    }

    /** The network in a zip that {@link Network#save} wrote, as Python restores it. */
    public static Network restored(String path, Object... changes) throws IOException {
        MultiLayerNetwork stored = MultiLayerNetwork.load(new File(path), true);
        INDArray updater = stored.getUpdater().getStateViewArray();
        return Network.restored(lines(settings(changes)), Tensor.of(stored.params()),
                updater == null ? null : Tensor.of(updater), stored.getIterationCount());
    }

    /** The same network without this project's training. */
    public static MultiLayerNetwork dl4j(Object... changes) {
        MultiLayerNetwork net =
                new MultiLayerNetwork(NetworkConfiguration.of(NetworkSettings.parse(lines(settings(changes)))));
        net.init();
        return net;
    }

    public static float[] parameters(Network network) {
        return parameters(network.dl4j());
    }

    public static float[] parameters(MultiLayerNetwork net) {
        return net.params().dup().data().asFloat();
    }

    /** Compares bit for bit and requires finite numbers: two runs that both became NaN are not equal. */
    public static void assertBitEqual(float[] expected, float[] actual, String what) {
        for (float v : expected) {
            assertTrue(Float.isFinite(v), () -> what + ": " + v);
        }
        assertArrayEquals(expected, actual, what);
    }

    public static INDArray oneHot(int[][] indices, int classes) {
        INDArray a = Nd4j.create(DataType.FLOAT, new long[] {indices.length, classes, indices[0].length}, 'f');
        for (int row = 0; row < indices.length; row++) {
            for (int t = 0; t < indices[row].length; t++) {
                a.putScalar(new int[] {row, indices[row][t], t}, 1);
            }
        }
        return a;
    }

    /** Random classes, and targets that can be learned in part: a third of them is random. */
    public static final class Recording {
        final int[][] inputs;
        final int[][] targets;

        public Recording(long seed, int steps) {
            Random random = new Random(seed);
            inputs = new int[BATCH][steps];
            targets = new int[BATCH][steps];
            for (int row = 0; row < BATCH; row++) {
                for (int t = 0; t < steps; t++) {
                    inputs[row][t] = random.nextInt(CLASSES);
                    targets[row][t] = random.nextInt(3) == 0 ? random.nextInt(CLASSES) : CLASSES - 1 - inputs[row][t];
                }
            }
        }

        public INDArray features() {
            return oneHot(inputs, CLASSES);
        }

        public INDArray labels() {
            return oneHot(targets, CLASSES);
        }
    }

    /** Passes segments as Python does: in two tensors, one segment long, that are reused. */
    public static final class Feeder {
        private final Tensor features = Tensor.zeros("FLOAT", "f", new long[] {BATCH, CLASSES, TBPTT});
        private final Tensor labels = Tensor.zeros("FLOAT", "f", new long[] {BATCH, CLASSES, TBPTT});

        /** One step on the segment that begins at {@code from}; values that a longer one wrote after its end stay. */
        public double[] step(Network network, Recording recording, int from, long seed) {
            int steps = write(recording, from);
            return network.step(features, labels, steps, from == 0, seed);
        }

        /** The first half of a step. */
        public double[] computeGradient(Network network, Recording recording, int from, long seed) {
            int steps = write(recording, from);
            return network.computeGradient(features, labels, steps, from == 0, seed);
        }

        private int write(Recording recording, int from) {
            int to = Math.min(from + TBPTT, recording.inputs[0].length);
            write(features, recording.features(), from, to);
            write(labels, recording.labels(), from, to);
            return to - from;
        }

        /** Runs steps {@code begin} to {@code end} over an endless sequence of windows; a step's number is its seed. */
        public void steps(Network network, int begin, int end) {
            int perWindow = (WINDOW + TBPTT - 1) / TBPTT;
            for (int i = begin; i < end; i++) {
                step(network, new Recording(i / perWindow, WINDOW), i % perWindow * TBPTT, i);
            }
        }

        private static void write(Tensor tensor, INDArray window, int from, int to) {
            tensor.firstSteps(to - from).assign(
                    window.get(NDArrayIndex.all(), NDArrayIndex.all(), NDArrayIndex.interval(from, to)));
        }
    }
}
