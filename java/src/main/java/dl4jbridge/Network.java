package dl4jbridge;

import dl4jbridge.fused.AdamStep;
import dl4jbridge.fused.FusedGravesLSTMLayer;
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
import org.deeplearning4j.nn.workspace.LayerWorkspaceMgr;
import org.deeplearning4j.optimize.Solver;
import org.deeplearning4j.optimize.solvers.BaseOptimizer;
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
    /** In the solver's place where fused layers train with Adam, else null. */
    private AdamStep adam;
    /** In the network's place where there are fused layers and nothing else and the same holds, else null. */
    private FusedStack stack;

    @SuppressWarnings("try")
    private Network(MultiLayerNetwork net) {
        this.net = net;
        net.setListeners(monitor);
        try (MemoryWorkspace ignored = Nd4j.getMemoryManager().scopeOutOfWorkspaces()) {
            solver = new Solver.Builder().configure(net.conf()).listeners(net.getListeners()).model(net).build();
            shareUpdater();
        }
    }

    /** One updater for our solver and for the network, which saves it and replaces it with the learning rate. */
    private void shareUpdater() {
        solver.getOptimizer().setUpdater(net.getUpdater());
        adam = net.getLayer(0) instanceof FusedGravesLSTMLayer ? AdamStep.of(net) : null;
        stack = adam == null ? null : FusedStack.of(net);
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
        INDArray x = features.firstSteps(steps);
        INDArray y = labels.firstSteps(steps);
        if (stack != null && hasOnlyOurListener() && stack.computeGradient(x, y)) {
            update(x, stack.squares());
            return new double[] {stack.loss() / steps, stack.accuracy()};
        }
        stepThroughDl4j(x, y, seed);
        return new double[] {monitor.loss() / steps, monitor.accuracy()};
    }

    /** Others would see nothing of a step that does not go through DL4J. */
    private boolean hasOnlyOurListener() {
        return net.getListeners().size() == 1;
    }

    private void stepThroughDl4j(INDArray x, INDArray y, long seed) {
        Nd4j.getRandom().setSeed(seed);
        monitor.expect(y);
        net.setInput(x);
        net.setLabels(y);
        withoutInputGradient(true);
        try {
            if (adam == null) {
                solver.optimize(LayerWorkspaceMgr.noWorkspaces());
            } else {
                net.computeGradientAndScore();
                update(x, adam.squares());
            }
        } finally {
            withoutInputGradient(false);
        }
        net.updateRnnStateWithTBPTTState();
    }

    private void update(INDArray x, double[] squaresOfGradient) {
        adam.update((int) x.size(0), net.getIterationCount(), squaresOfGradient);
        BaseOptimizer.incrementIterationCount(net, 1);
    }

    /** See FusedRnnOutputLayer: how squared errors are weighted in the steps to come. Stock layers cannot do it. */
    public void weighSquaredError(double square, double preEmphasis, double offset, int from) {
        ((FusedRnnOutputLayer) net.getOutputLayer()).weighSquaredError(square, preEmphasis, offset, from);
    }

    /** The solver throws the first layer's input gradient away. */
    private void withoutInputGradient(boolean without) {
        if (net.getLayer(0) instanceof FusedGravesLSTMLayer) {
            ((FusedGravesLSTMLayer) net.getLayer(0)).setInputGradientUnused(without);
        }
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
        shareUpdater();
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
