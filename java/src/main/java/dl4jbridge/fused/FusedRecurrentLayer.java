package dl4jbridge.fused;

import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import org.deeplearning4j.nn.api.MaskState;
import org.deeplearning4j.nn.conf.CacheMode;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.layers.AbstractLSTM;
import org.deeplearning4j.nn.conf.layers.LayerValidation;
import org.deeplearning4j.nn.gradient.DefaultGradient;
import org.deeplearning4j.nn.gradient.Gradient;
import org.deeplearning4j.nn.layers.recurrent.BaseRecurrentLayer;
import org.deeplearning4j.nn.layers.recurrent.FwdPassReturn;
import org.deeplearning4j.nn.layers.recurrent.LSTM;
import org.deeplearning4j.nn.layers.recurrent.LSTMHelpers;
import org.deeplearning4j.nn.params.LSTMParamInitializer;
import org.deeplearning4j.nn.workspace.ArrayType;
import org.deeplearning4j.nn.workspace.LayerWorkspaceMgr;
import org.deeplearning4j.optimize.api.TrainingListener;
import org.nd4j.common.primitives.Pair;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;

/**
 * The layer of a {@link FusedCell}: DL4J's calls on one side, {@link Recurrence} on the other.
 *
 * <p>A forward pass in training leaves a record, and the backward pass uses it once. Any other forward pass, clear()
 * and any change of the state drop it; a backward pass without a record repeats the forward pass, from the state
 * that the last one in training started from.
 *
 * <p>A segment always starts from rnnGetPreviousState, as DL4J's GravesLSTM does; DL4J's LSTM starts from
 * rnnGetTBPTTState. MultiLayerNetwork sets both to the same arrays after each segment.
 */
public final class FusedRecurrentLayer extends BaseRecurrentLayer<AbstractLSTM> {
    private static final long serialVersionUID = 1L;
    // GravesLSTM has the same keys.
    private static final String W = LSTMParamInitializer.INPUT_WEIGHT_KEY;
    private static final String RW = LSTMParamInitializer.RECURRENT_WEIGHT_KEY;
    private static final String B = LSTMParamInitializer.BIAS_KEY;
    private static final String HIDDEN = LSTM.STATE_KEY_PREV_ACTIVATION;
    private static final String CELL = LSTM.STATE_KEY_PREV_MEMCELL;

    private final transient Recurrence recurrence;
    /** Input of the recorded forward pass; null without a record. */
    private transient INDArray recordedInput;
    private transient INDArray recordedMask;
    private transient INDArray firstHidden;
    private transient INDArray firstCell;
    private transient boolean inputGradientUnused;

    private FusedRecurrentLayer(NeuralNetConfiguration conf, DataType dataType) {
        super(conf, dataType);
        recurrence = new Recurrence(fusedCell().cell(), fusedCell().getMath());
    }

    /** Makes a layer with its parameters; what a configuration's {@code instantiate} has to do. */
    static FusedRecurrentLayer of(AbstractLSTM layer, NeuralNetConfiguration conf,
            Collection<TrainingListener> listeners, int index, INDArray parameters, boolean initialize,
            DataType dataType) {
        String name = layer.getClass().getSimpleName();
        LayerValidation.assertNInNOutSet(name, layer.getLayerName(), index, layer.getNIn(), layer.getNOut());
        if (!Cell.covers(layer) || dataType != DataType.FLOAT) {
            throw new IllegalArgumentException("layer " + index + ": " + name + " computes FLOAT, tanh and sigmoid on "
                    + "[batch, size, time] on the CPU; found " + dataType + ", " + layer.getActivationFn() + ", "
                    + layer.getGateActivationFn() + ", " + layer.getRnnDataFormat()
                    + "; FusedLayers.toStock gives the stock layer");
        }
        return FusedLayers.assemble(new FusedRecurrentLayer(conf, dataType), layer.initializer(), conf, listeners,
                index, parameters, initialize);
    }

    private FusedCell fusedCell() {
        return (FusedCell) layerConf();
    }

    /**
     * Lets a first layer return null as its input gradient. Only for a caller that ignores it, such as
     * MultiLayerNetwork.computeGradientAndScore.
     */
    public void setInputGradientUnused(boolean unused) {
        inputGradientUnused = unused;
    }

    /**
     * Penalizes memory cells beyond {@link LstmEquations#LARGEST_CELL}, in the gradient and not in the reported loss. A
     * unit whose forget gate stays open adds up its input; in a recording far longer than the training windows, its cell
     * reaches sizes that no window had, and its peepholes switch the gates.
     *
     * <p>To be called before the first forward pass. {@link #tbpttBackpropGradient}, which MultiLayerNetwork never calls,
     * has no penalty.
     *
     * @param weight  gradient of a cell at least 1 beyond, relative to that of the loss of one time step; 0 for none
     */
    public void setCellPenalty(double weight) {
        recurrence.setCellPenalty((float) weight);
    }

    /** The recurrence and the weights are for {@link FusedStack}. */
    Recurrence recurrence() {
        return recurrence;
    }

    RecurrentWeights weights() {
        return new RecurrentWeights(getParam(W), getParam(RW), getParam(B));
    }

    RecurrentWeights gradients() {
        return new RecurrentWeights(gradientViews.get(W), gradientViews.get(RW), gradientViews.get(B));
    }

    boolean carriesGradientState() {
        return fusedCell().getGradientState() == GradientState.CARRIED;
    }

    int size() {
        return (int) layerConf().getNOut();
    }

    INDArray hidden() {
        return stateMap.get(HIDDEN);
    }

    INDArray cell() {
        return stateMap.get(CELL);
    }

    /** Makes the state at the end of the segment that of the next one. */
    void carryState() {
        rnnSetPreviousState(lastState());
    }

    @Override
    public INDArray activate(INDArray input, boolean training, LayerWorkspaceMgr workspaces) {
        setInput(input, workspaces);
        return activate(training, workspaces);
    }

    @Override
    public INDArray activate(boolean training, LayerWorkspaceMgr workspaces) {
        return forward(null, null, training, workspaces);
    }

    @Override
    public INDArray rnnTimeStep(INDArray input, LayerWorkspaceMgr workspaces) {
        setInput(input, workspaces);
        INDArray output = forward(hidden(), cell(), false, workspaces);
        stateMap.putAll(lastState());
        return output;
    }

    @Override
    public INDArray rnnActivateUsingStoredState(
            INDArray input, boolean training, boolean storeLastForTBPTT, LayerWorkspaceMgr workspaces) {
        setInput(input, workspaces);
        INDArray output = forward(hidden(), cell(), training, workspaces);
        if (storeLastForTBPTT) {
            tBpttStateMap.putAll(lastState());
        }
        return output;
    }

    private Map<String, INDArray> lastState() {
        Map<String, INDArray> state = new HashMap<>();
        state.put(HIDDEN, recurrence.lastHidden());
        state.put(CELL, recurrence.lastCell());
        return state;
    }

    private INDArray forward(INDArray h0, INDArray c0, boolean training, LayerWorkspaceMgr workspaces) {
        recordedInput = null;
        assertInputSet(false);
        check(input, h0);
        INDArray rows = workspaces.createUninitialized(ArrayType.ACTIVATIONS, dataType,
                new long[] {input.size(2), input.size(0), size()}, 'c');
        compute(h0, c0, training, workspaces, rows);
        if (training) {
            recordedInput = input;
            recordedMask = maskArray;
            firstHidden = h0;
            firstCell = c0;
        }
        return Sequence.view(rows);
    }

    private void compute(INDArray h0, INDArray c0, boolean training, LayerWorkspaceMgr workspaces, INDArray outputs) {
        if (training && !dropoutApplied && layerConf().getIDropout() != null) {
            // The order of the array decides which element gets which random number; stock layers have 'f'.
            input = workspaces.dup(ArrayType.INPUT, input, 'f');
        }
        applyDropOutIfNecessary(training, workspaces);
        if (input.dataType() != dataType) {
            // The backward pass reads it again, after working memory is gone.
            input = workspaces.leverageTo(ArrayType.INPUT, input.castTo(dataType).detach());
        }
        recurrence.forward(input, maskArray, h0, c0, weights(training, workspaces),
                size(), outputs);
    }

    void check(INDArray input, INDArray h0) {
        if (input.rank() != 3 || input.length() == 0) {
            throw new IllegalStateException("wanted an input of [batch, size, time], found "
                    + java.util.Arrays.toString(input.shape()) + " " + layerId());
        }
        if (input.size(1) != layerConf().getNIn()) {
            throw new org.deeplearning4j.exception.DL4JInvalidInputException("wanted an input of size "
                    + layerConf().getNIn() + ", found " + java.util.Arrays.toString(input.shape()) + " " + layerId());
        }
        if (h0 != null && h0.size(0) != input.size(0)) {
            throw new IllegalStateException("found a state of batch " + h0.size(0) + " for an input of batch " + input.size(0)
                    + "; call rnnClearPreviousState between batches " + layerId());
        }
    }

    private RecurrentWeights weights(boolean training, LayerWorkspaceMgr workspaces) {
        // In the order in which stock layers generate their noise.
        INDArray recurrent = getParamWithNoise(RW, training, workspaces);
        INDArray input = getParamWithNoise(W, training, workspaces);
        return new RecurrentWeights(input, recurrent, getParamWithNoise(B, training, workspaces));
    }

    @Override
    public Pair<Gradient, INDArray> backpropGradient(INDArray epsilon, LayerWorkspaceMgr workspaces) {
        assertInputSet(true);
        boolean carried = carriesGradientState();
        boolean recorded = recordedInput != null && recordedInput == input && recordedMask == maskArray;
        if (!recorded || (!carried && firstHidden != null)) {
            compute(carried ? firstHidden : null, carried ? firstCell : null, true, workspaces, null);
        }
        recordedInput = null;
        INDArray inputRows = inputGradientUnused && getIndex() == 0 ? null : workspaces.createUninitialized(
                ArrayType.ACTIVATION_GRAD, dataType, new long[] {input.size(2), input.size(0), input.size(1)}, 'c');
        recurrence.backward(epsilon, weights(true, workspaces), gradients(), inputRows, carried);
        weightNoiseParams.clear();
        Gradient gradient = new DefaultGradient();
        for (String key : new String[] {W, RW, B}) {
            gradient.gradientForVariable().put(key, gradientViews.get(key));
        }
        return new Pair<>(gradient, inputRows == null ? null : throughDropout(Sequence.view(inputRows), workspaces));
    }

    private INDArray throughDropout(INDArray inputGradient, LayerWorkspaceMgr workspaces) {
        if (layerConf().getIDropout() == null) {
            return inputGradient;
        }
        return backpropDropOutIfPresent(workspaces.dup(ArrayType.ACTIVATION_GRAD, inputGradient, 'f'));
    }

    /** DL4J's own arithmetic: the only backward pass that ends {@code length} steps before the segment's end. */
    @Override
    public Pair<Gradient, INDArray> tbpttBackpropGradient(INDArray epsilon, int length, LayerWorkspaceMgr workspaces) {
        recordedInput = null;
        assertInputSet(true);
        applyDropOutIfNecessary(true, workspaces);
        Cell cell = fusedCell().cell();
        INDArray recurrent = getParamWithNoise(RW, true, workspaces);
        INDArray weights = getParamWithNoise(W, true, workspaces);
        FwdPassReturn pass = LSTMHelpers.activateHelper(this, conf, layerConf().getGateActivationFn(), input, recurrent,
                weights, getParamWithNoise(B, true, workspaces), true, hidden(), cell(), true, true, W, maskArray,
                cell.hasPeepholes(), null, CacheMode.NONE, workspaces, true);
        tBpttStateMap.put(HIDDEN, pass.lastAct.detach());
        tBpttStateMap.put(CELL, pass.lastMemCell.detach());
        Pair<Gradient, INDArray> gradients = LSTMHelpers.backpropGradientHelper(this, conf,
                layerConf().getGateActivationFn(), input, recurrent, weights, epsilon, true, length, pass, true, W, RW, B,
                gradientViews, cell.stockMasksGradient() ? maskArray : null, cell.hasPeepholes(), null, workspaces, true);
        weightNoiseParams.clear();
        gradients.setSecond(backpropDropOutIfPresent(gradients.getSecond()));
        return gradients;
    }

    @Override
    public Type type() {
        return Type.RECURRENT;
    }

    @Override
    public boolean isPretrainLayer() {
        return false;
    }

    /** Leaves the mask to the output layer, as DL4J's LSTM layers do. */
    @Override
    public Pair<INDArray, MaskState> feedForwardMaskArray(INDArray mask, MaskState state, int batch) {
        return new Pair<>(mask, MaskState.Passthrough);
    }

    @Override
    public void rnnSetPreviousState(Map<String, INDArray> state) {
        super.rnnSetPreviousState(state);
        changeState();
    }

    @Override
    public void rnnClearPreviousState() {
        super.rnnClearPreviousState();
        changeState();
    }

    private void changeState() {
        recordedInput = null;
        firstHidden = hidden();
        firstCell = cell();
    }

    @Override
    public void clear() {
        super.clear();
        recordedInput = null;
    }
}
