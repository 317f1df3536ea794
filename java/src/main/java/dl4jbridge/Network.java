package dl4jbridge;

import dl4jbridge.fused.AdamStep;
import dl4jbridge.fused.FusedRecurrentLayer;
import dl4jbridge.fused.FusedLayers;
import dl4jbridge.fused.FusedRnnOutputLayer;
import dl4jbridge.fused.FusedStack;
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
 * <p>{@code MultiLayerNetwork.fit} takes a whole example and cuts it into segments itself. Here the caller brings the
 * segments, so that tensors are one segment long whatever the example's length, and training can stop after any of
 * them. The arithmetic is that of {@code MultiLayerNetwork.doTruncatedBPTT}.
 */
public final class Network {
    private final MultiLayerNetwork net;
    private final StepMonitor monitor = new StepMonitor();
    private final Solver solver;
    private Step step;

    @SuppressWarnings("try")
    private Network(MultiLayerNetwork net) {
        this.net = net;
        net.setListeners(monitor);
        try (MemoryWorkspace ignored = Nd4j.getMemoryManager().scopeOutOfWorkspaces()) {
            solver = new Solver.Builder().configure(net.conf()).listeners(net.getListeners()).model(net).build();
            chooseStep();
        }
    }

    /** Again for every updater that the network gets. */
    private void chooseStep() {
        step = new SolverStep(net, monitor, solver);
        AdamStep adam = net.getLayer(0) instanceof FusedRecurrentLayer ? AdamStep.of(net) : null;
        if (adam != null) {
            AdamLayerStep layerByLayer = new AdamLayerStep(net, monitor, adam);
            FusedStack stack = FusedStack.of(net);
            step = stack == null ? layerByLayer : new StackStep(net, stack, layerByLayer);
        }
    }

    public static Network create(String settings) {
        MultiLayerNetwork net = new MultiLayerNetwork(NetworkConfiguration.of(NetworkSettings.parse(settings)));
        net.init();
        return new Network(net);
    }

    /** Reads a zip of stock layers; the settings say which layers shall compute them. */
    public static Network load(String path, String settings) throws IOException {
        MultiLayerNetwork stock = MultiLayerNetwork.load(new File(path), true);
        MultiLayerConfiguration configuration = NetworkConfiguration.withLayers(
                stock.getLayerWiseConfigurations(), NetworkSettings.parse(settings));
        return new Network(FusedLayers.around(stock, configuration));
    }

    /** Writes DL4J's own zip, with stock layers in it. The caller gives a temporary name and renames it. */
    public void save(String path, boolean withUpdater) throws IOException {
        MultiLayerConfiguration stock = FusedLayers.toStock(net.getLayerWiseConfigurations());
        MultiLayerNetwork twin = withUpdater ? FusedLayers.around(net, stock) : FusedLayers.sharing(net, stock);
        twin.save(new File(path), withUpdater);
    }

    public MultiLayerNetwork dl4j() {
        return net;
    }

    /**
     * One parameter update on one segment.
     *
     * @param steps  how many time steps of the tensors count
     * @param first  true forgets the state that the segment before left
     * @param seed   of the random numbers (dropout) of this step, so that a resumed run draws the same ones
     * @return the loss per time step without regularisation (of a softmax cross-entropy in nats), and the share of exact
     *         classes or NaN where there are none, both of the parameters before the update
     */
    public double[] step(Tensor features, Tensor labels, int steps, boolean first, long seed) {
        if (steps < 1) {
            throw new IllegalArgumentException("a segment of " + steps + " steps");
        }
        if (first) {
            net.rnnClearPreviousState();
        }
        double[] lossAndAccuracy = step.run(features.firstSteps(steps), labels.firstSteps(steps), seed);
        lossAndAccuracy[0] /= steps;
        return lossAndAccuracy;
    }

    /** See FusedRnnOutputLayer: how squared errors are weighted in the steps to come. Stock layers cannot do it. */
    public void weighSquaredError(double square, double preEmphasis, double offset, int from) {
        ((FusedRnnOutputLayer) net.getOutputLayer()).weighSquaredError(square, preEmphasis, offset, from);
    }

    public long parameters() {
        return net.numParams();
    }

    /** A copy of all parameters, in DL4J's order. */
    public Tensor parameterVector() {
        return Tensor.of(net.params().dup());
    }

    public void setLearningRate(double rate) {
        net.setLearningRate(rate);
        chooseStep();
    }

    /** The carried state, by "layer/key"; empty before the first step. */
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

    /** Puts one array of {@link #state()} back. */
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

    /** A reader of the present parameters that takes one sample after the other. */
    public SampleStream stream() {
        return new SampleStream(net);
    }

    /** A reader of the parameters, whatever they are at the time, that takes many recordings side by side. */
    public BatchStream batchStream() {
        return new BatchStream(net);
    }
}
