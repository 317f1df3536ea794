package dl4jbridge.fused;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.function.IntConsumer;
import org.deeplearning4j.nn.conf.layers.RnnOutputLayer;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.nd4j.linalg.activations.IActivation;

/**
 * A network that takes the samples of one recording, up to the sums before the activation of the output. It holds the
 * state, and a copy of the parameters as they were when it was made.
 *
 * <p>Samples go through it in blocks and stage by stage, so that the weights of a stage stay in the cache: of each layer
 * the sums over its inputs, then the recurrence; last the output. With several threads, a stage works on a block while
 * the next stage works on the block before. Each sample has the same bits in every block ({@link SampleProduct}), so the
 * result depends neither on the blocks nor on the threads.
 */
public final class SampleNetwork {
    /** Floats of a block's sums in a layer, of which some fit into the second-level cache beside the weights. */
    private static final int BLOCK_FLOATS = 51_200;
    private static final int SHORTEST_BLOCK = 24;
    private static final int LONGEST_BLOCK = 256;
    /** Blocks of a call below which the threads would wait for each other longer than they work. */
    private static final int FEWEST_BLOCKS = 4;

    /** Parts into which a product over a block is cut. */
    private static final int PARTS = 4;
    /** Outputs below which a sum at a time is faster than a loop over the outputs. */
    private static final int FEW_OUTPUTS = 4;

    /** Provides the inputs of a block. */
    public interface Source {
        /**
         * @param from   number of the block's first sample in the call
         * @param sums   row t is for {@link SampleNetwork#beginOneHot} or {@link SampleNetwork#beginDense}
         * @param count  number of samples
         */
        void begin(int from, float[][] sums, int count);
    }

    /** Takes the outputs of a block. Blocks come in order, one at a time, but not all in the same thread. */
    public interface Sink {
        /** @param sums  [count, outputs]; may be overwritten */
        void accept(int from, float[][] sums, int count);
    }

    private final SampleLayer[] layers;
    private final IActivation activation;
    private final float[][] outputWeights; // [unit][output]
    private final float[][] outputColumns; // the same, [output][unit]
    private final float[] outputBias;
    private final int blockLength;
    private final float[][][][] sums; // [layer][parity of the block][sample][gate and unit]
    private final float[][][][] hidden; // likewise, [unit]
    private final float[][][] outputs; // [parity][sample][output]
    private final int[][] tasks; // [stage, part of the block]; stages 2 i and 2 i + 1 belong to layer i
    private final AtomicIntegerArray taken; // by task: number of the step it is to be taken in
    private final Thread[] takers; // by task: the thread that took it last
    private final IntConsumer takeTask = number -> takeTask();
    // The present call.
    private Source source;
    private Sink sink;
    private int samples;
    private int step;

    /** @throws IllegalArgumentException for a network with other layers */
    public SampleNetwork(MultiLayerNetwork net) {
        int recurrent = net.getnLayers() - 1;
        layers = new SampleLayer[recurrent];
        int widest = 1;
        for (int i = 0; i < recurrent; i++) {
            layers[i] = new SampleLayer(net.getLayer(i));
            widest = Math.max(widest, layers[i].columns());
        }
        org.deeplearning4j.nn.conf.layers.Layer last = net.getLayerWiseConfigurations().getConf(recurrent).getLayer();
        if (!(last instanceof RnnOutputLayer)) {
            throw new IllegalArgumentException("the last layer is not an RnnOutputLayer");
        }
        activation = ((RnnOutputLayer) last).getActivationFn();
        outputWeights = SampleLayer.rows(net.getOutputLayer().getParam("W"));
        outputColumns = SampleLayer.rows(net.getOutputLayer().getParam("W").transpose());
        outputBias = SampleLayer.vector(net.getOutputLayer().getParam("b"));
        int length = Math.max(SHORTEST_BLOCK, Math.min(LONGEST_BLOCK, BLOCK_FLOATS / widest));
        blockLength = length / (PARTS * SampleProduct.ROWS) * PARTS * SampleProduct.ROWS;
        sums = new float[recurrent][2][blockLength][];
        hidden = new float[recurrent][2][blockLength][];
        for (int i = 0; i < recurrent; i++) {
            for (int parity = 0; parity < 2; parity++) {
                sums[i][parity] = new float[blockLength][layers[i].columns()];
                hidden[i][parity] = new float[blockLength][layers[i].size()];
            }
        }
        outputs = new float[2][blockLength][outputBias.length];
        tasks = tasks(recurrent);
        taken = new AtomicIntegerArray(tasks.length);
        takers = new Thread[tasks.length];
    }

    /** The longest first: recurrences, which cannot be cut, the output, and products in parts that fill the gaps. */
    private static int[][] tasks(int layers) {
        List<int[]> tasks = new ArrayList<>();
        for (int i = 0; i < layers; i++) {
            tasks.add(new int[] {2 * i + 1, 0});
        }
        tasks.add(new int[] {2 * layers, 0});
        for (int i = 1; i < layers; i++) {
            for (int part = 0; part < PARTS; part++) {
                tasks.add(new int[] {2 * i, part});
            }
        }
        tasks.add(new int[] {0, 0});
        return tasks.toArray(new int[0][]);
    }

    /** The activation of the output, which the caller computes. */
    public IActivation activation() {
        return activation;
    }

    /** Number of inputs. */
    public int inputs() {
        return layers[0].inputs();
    }

    /** Number of outputs. */
    public int outputs() {
        return outputBias.length;
    }

    /** Largest number of samples in a block. */
    public int blockLength() {
        return blockLength;
    }

    /** Clears the state. */
    public void reset() {
        for (SampleLayer layer : layers) {
            layer.reset();
        }
    }

    /** Begins a sample with a one-hot input; to be called by a {@link Source}. */
    public void beginOneHot(int oneHotClass, float[] row) {
        layers[0].beginOneHot(oneHotClass, row);
    }

    /** Begins the samples of a block with inputs [count, inputs], likewise. */
    public void beginDense(float[][] x, float[][] rows, int count) {
        layers[0].beginDense(x, rows, 0, count);
    }

    /** Takes one sample with a one-hot input and returns the sums, [outputs]; the next sample overwrites them. */
    public float[] advanceOneHot(int oneHotClass) {
        layers[0].beginOneHot(oneHotClass, sums[0][0][0]);
        for (int i = 0; i < layers.length; i++) {
            if (i > 0) {
                layers[i].beginDense(hidden[i - 1][0], sums[i][0], 0, 1);
            }
            layers[i].advance(sums[i][0][0], hidden[i][0][0]);
        }
        sumOutputs(0, 1);
        return outputs[0][0];
    }

    /**
     * Takes {@code n} samples.
     *
     * @param sink  null to compute no outputs
     */
    public void run(int n, Source source, Sink sink) {
        this.source = source;
        this.sink = sink;
        samples = n;
        int blocks = (n + blockLength - 1) / blockLength;
        int stages = 2 * layers.length + 1;
        // Beside a single layer with few outputs there is too little for another thread to do.
        boolean isAlone = layers.length == 1 && outputColumns.length < FEW_OUTPUTS;
        if (blocks < FEWEST_BLOCKS || Workers.threads() == 1 || isAlone) {
            for (int block = 0; block < blocks; block++) {
                for (int stage = 0; stage < stages; stage++) {
                    runStage(stage, block, 0, blockLength);
                }
            }
            return;
        }
        for (int i = 0; i < tasks.length; i++) {
            taken.set(i, 0);
        }
        for (step = 0; step < blocks + stages - 1; step++) {
            Workers.run(tasks.length, takeTask);
        }
    }

    /** Runs one task of this step that is not taken: one of this thread's last step, whose weights are in its cache. */
    private void takeTask() {
        for (int i = 0; i < tasks.length; i++) {
            if (takers[i] == Thread.currentThread() && taken.compareAndSet(i, step, step + 1)) {
                runTask(i);
                return;
            }
        }
        for (int i = 0; i < tasks.length; i++) {
            if (taken.compareAndSet(i, step, step + 1)) {
                takers[i] = Thread.currentThread();
                runTask(i);
                return;
            }
        }
    }

    private void runTask(int number) {
        int stage = tasks[number][0];
        int part = tasks[number][1];
        int block = step - stage;
        if (block >= 0 && block * blockLength < samples) {
            boolean isCut = stage % 2 == 0 && stage > 0 && stage < 2 * layers.length;
            int length = isCut ? blockLength / PARTS : blockLength;
            runStage(stage, block, part * length, (part + 1) * length);
        }
    }

    /** Runs a stage on samples {@code begin} to {@code end} of a block; the last block of a call may end earlier. */
    private void runStage(int stage, int block, int begin, int end) {
        int parity = block % 2;
        int from = block * blockLength;
        int count = Math.min(blockLength, samples - from);
        int layer = stage / 2;
        if (stage == 0) {
            source.begin(from, sums[0][parity], count);
        } else if (stage % 2 == 1) {
            for (int t = 0; t < count; t++) {
                layers[layer].advance(sums[layer][parity][t], hidden[layer][parity][t]);
            }
        } else if (layer < layers.length) {
            layers[layer].beginDense(hidden[layer - 1][parity], sums[layer][parity], begin, Math.min(end, count));
        } else if (sink != null) {
            sumOutputs(parity, count);
            sink.accept(from, outputs[parity], count);
        }
    }

    private void sumOutputs(int parity, int count) {
        float[][] h = hidden[layers.length - 1][parity];
        float[][] y = outputs[parity];
        if (outputColumns.length < FEW_OUTPUTS) {
            for (int t = 0; t < count; t++) {
                for (int j = 0; j < outputColumns.length; j++) {
                    y[t][j] = SampleProduct.sum(outputBias[j], h[t], outputColumns[j]);
                }
            }
            return;
        }
        for (int t = 0; t < count; t++) {
            System.arraycopy(outputBias, 0, y[t], 0, outputBias.length);
        }
        SampleProduct.add(h, outputWeights, y, 0, count);
    }
}
