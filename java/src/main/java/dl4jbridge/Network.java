package dl4jbridge;

import dl4jbridge.fused.AdamStep;
import dl4jbridge.fused.FusedRecurrentLayer;
import dl4jbridge.fused.FusedLayers;
import dl4jbridge.fused.FusedRnnOutputLayer;
import dl4jbridge.fused.FusedStack;
import dl4jbridge.fused.NeighbourSharing;
import java.io.File;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import org.deeplearning4j.nn.api.Layer;
import org.deeplearning4j.nn.api.layers.RecurrentLayer;
import org.deeplearning4j.nn.conf.MultiLayerConfiguration;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.optimize.Solver;
import org.nd4j.linalg.api.memory.MemoryWorkspace;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/**
 * A MultiLayerNetwork trained one tBPTT segment at a time.
 *
 * <p>{@code MultiLayerNetwork.fit} takes a whole example and cuts it into segments itself. Here the caller passes the
 * segments, so that tensors are one segment long for examples of any length, and training can stop after any segment.
 * The arithmetic is that of {@code MultiLayerNetwork.doTruncatedBPTT}.
 */
public final class Network {
    private final MultiLayerNetwork net;
    private final NetworkSettings settings;
    private final StepMonitor monitor = new StepMonitor();
    private final Solver solver;
    private Step step;
    private AdamStep adam; // null where DL4J updates

    @SuppressWarnings("try")
    private Network(MultiLayerNetwork net, NetworkSettings settings) {
        this.net = net;
        this.settings = settings;
        net.setListeners(monitor);
        for (Layer layer : net.getLayers()) {
            if (layer instanceof FusedRecurrentLayer) {
                ((FusedRecurrentLayer) layer).setCellPenalty(settings.cellPenalty);
            }
        }
        try (MemoryWorkspace ignored = Nd4j.getMemoryManager().scopeOutOfWorkspaces()) {
            solver = new Solver.Builder().configure(net.conf()).listeners(net.getListeners()).model(net).build();
            chooseStep();
        }
    }

    /** To be called again whenever DL4J replaces the updater. */
    private void chooseStep() {
        step = new SolverStep(net, monitor, solver);
        adam = net.getLayer(0) instanceof FusedRecurrentLayer ? AdamStep.of(net) : null;
        if (adam != null) {
            NeighbourSharing sharing = NeighbourSharing.of(
                    net, settings.input.equals("one-hot"), settings.output.equals("softmax"), settings.neighbours);
            AdamLayerStep layerByLayer = new AdamLayerStep(net, monitor, adam, sharing);
            FusedStack stack = FusedStack.of(net);
            step = stack == null ? layerByLayer : new StackStep(net, stack, layerByLayer);
        }
    }

    /**
     * Makes a network with initial weights.
     *
     * @param settings  "name=value" lines: the fields of NetworkSettings, with_underscores
     * @throws IllegalArgumentException for a missing, unknown or malformed setting
     */
    public static Network create(String settings) {
        NetworkSettings parsed = NetworkSettings.parse(settings);
        MultiLayerNetwork net = new MultiLayerNetwork(NetworkConfiguration.of(parsed));
        net.init();
        return new Network(net, parsed);
    }

    /**
     * Makes the network that the settings describe, with stored numbers instead of initial weights.
     *
     * @param settings    as for {@link #create}
     * @param parameters  all parameters in DL4J's order, [1, parameters], FLOAT; copied
     * @param updater     the updater's state, [1, n], FLOAT; copied; null for its initial state
     * @param iterations  number of updates made so far
     */
    public static Network restored(String settings, Tensor parameters, Tensor updater, int iterations) {
        NetworkSettings parsed = NetworkSettings.parse(settings);
        MultiLayerConfiguration configuration = NetworkConfiguration.of(parsed);
        configuration.setIterationCount(iterations);
        MultiLayerNetwork net = new MultiLayerNetwork(configuration);
        net.init(parameters.array(), true);
        if (updater != null) {
            net.getUpdater().setStateViewArray(net, updater.array(), false);
        }
        return new Network(net, parsed);
    }

    /** Writes DL4J's own zip, with stock layers in it, straight to {@code path}: not atomic. */
    public void save(String path, boolean withUpdater) throws IOException {
        MultiLayerConfiguration stock = FusedLayers.toStock(net.getLayerWiseConfigurations());
        MultiLayerNetwork twin = withUpdater ? FusedLayers.around(net, stock) : FusedLayers.sharing(net, stock);
        twin.save(new File(path), withUpdater);
    }

    /** The DL4J network that is trained. */
    public MultiLayerNetwork dl4j() {
        return net;
    }

    /**
     * Updates the parameters once, on one segment.
     *
     * @param features  [batch, inputs, time], FLOAT, 'f' order
     * @param labels    [batch, outputs, time], likewise
     * @param steps     number of time steps to use, from the start of the tensors
     * @param first     true to clear the state of the segment before
     * @param seed      seed of this step's random numbers (dropout), so that a resumed run repeats them
     * @return the loss per time step without regularisation (cross-entropy in nats), and the accuracy from 0 to 1 or NaN
     *         without classes, both with the parameters before the update
     * @throws IllegalArgumentException if {@code steps} is less than 1
     */
    public double[] step(Tensor features, Tensor labels, int steps, boolean first, long seed) {
        begin(steps, first);
        return perTimeStep(step.run(features.firstSteps(steps), labels.firstSteps(steps), seed), steps);
    }

    /**
     * Computes {@link #gradient()} of one segment and carries the state, without an update; parameters and return value are
     * those of {@link #step}. Steps of several networks can so be made together: {@link #update} takes the sum of their
     * gradients.
     */
    public double[] computeGradient(Tensor features, Tensor labels, int steps, boolean first, long seed) {
        begin(steps, first);
        return perTimeStep(step.computeGradient(features.firstSteps(steps), labels.firstSteps(steps), seed), steps);
    }

    /**
     * Updates the parameters once from {@link #gradient()}, which it changes.
     *
     * @param batch  number of recordings that the gradient is summed over
     */
    public void update(int batch) {
        if (batch < 1) {
            throw new IllegalArgumentException("batch: found " + batch + "; wanted 1 or more");
        }
        step.update(batch);
    }

    private void begin(int steps, boolean first) {
        if (steps < 1) {
            throw new IllegalArgumentException("steps: found " + steps + "; wanted 1 or more");
        }
        if (first) {
            net.rnnClearPreviousState();
        }
    }

    private static double[] perTimeStep(double[] lossAndAccuracy, int steps) {
        lossAndAccuracy[0] /= steps;
        return lossAndAccuracy;
    }

    /** Sets the weights of the squared error for later steps; see FusedRnnOutputLayer. Needs fused layers. */
    public void weightSquaredError(double square, double preEmphasis, double offset, int from) {
        ((FusedRnnOutputLayer) net.getOutputLayer()).weightSquaredError(square, preEmphasis, offset, from);
    }

    /** Number of parameters. */
    public long parameters() {
        return net.numParams();
    }

    /** A copy of all parameters in DL4J's order, [1, parameters], FLOAT. */
    public Tensor parameterVector() {
        return Tensor.of(net.params().dup());
    }

    /** The parameters themselves in DL4J's order, FLOAT. */
    public Tensor liveParameters() {
        return Tensor.of(net.params());
    }

    /** The gradient of the parameters itself, in the same order, summed over the recordings of a batch. */
    public Tensor gradient() {
        return Tensor.of(net.getFlattenedGradients());
    }

    /** The state of the updater itself, FLOAT; null for one that has none. Valid until {@link #setLearningRate}. */
    public Tensor liveUpdaterState() {
        INDArray state = net.getUpdater().getStateViewArray();
        return state == null ? null : Tensor.of(state);
    }

    /** Sets the learning rate of later steps. */
    public void setLearningRate(double rate) {
        if (adam == null) {
            net.setLearningRate(rate);
            chooseStep();
        } else {
            adam.setLearningRate(rate);
        }
    }

    /**
     * Copies of the carried state: [batch, hidden], FLOAT, 'f' order, by "layer/prevAct" and "layer/prevMem". Empty before
     * the first step.
     */
    public Map<String, Tensor> state() {
        Map<String, Tensor> all = new HashMap<>();
        for (int i = 0; i < net.getnLayers(); i++) {
            if (net.getLayer(i) instanceof RecurrentLayer) {
                for (Map.Entry<String, INDArray> e : net.rnnGetPreviousState(i).entrySet()) {
                    all.put(i + "/" + e.getKey(), Tensor.of(e.getValue().dup('f')));
                }
            }
        }
        return all;
    }

    /** Sets one array of {@link #state()}. */
    public void restoreState(String key, Tensor value) {
        putState(net, key, value);
    }

    static void putState(MultiLayerNetwork net, String key, Tensor value) {
        int slash = key.indexOf('/');
        Layer layer = net.getLayer(Integer.parseInt(key.substring(0, slash)));
        RecurrentLayer recurrent = (RecurrentLayer) layer;
        Map<String, INDArray> state = new HashMap<>(recurrent.rnnGetPreviousState());
        state.put(key.substring(slash + 1), value.array().dup('f'));
        recurrent.rnnSetPreviousState(state);
        // DL4J's LSTM, unlike its GravesLSTM, begins a segment of training with this one.
        recurrent.rnnSetTBPTTState(state);
    }

    /** A stream of single samples through a copy of the present parameters. */
    public SampleStream stream() {
        return new SampleStream(net);
    }

    /** A stream of single vectors, likewise. */
    public VectorStream vectorStream() {
        return new VectorStream(net);
    }

    /** A stream of many recordings side by side, through the parameters as they are at each call. */
    public BatchStream batchStream() {
        return new BatchStream(net);
    }
}
